"""What is checked and packed for Azure on this machine."""
