"""What must hold against anyone: the contract under arbitrary requests, and who may do what."""
