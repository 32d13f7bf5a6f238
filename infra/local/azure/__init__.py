"""What is checked and done for Azure from this machine, without a word to Azure unless asked."""
