"""What a user of the simulator may do to it: load, read back, change, break."""
