"""Infrastructure: the system on one machine and in Azure."""
