"""Files in a folder and in a container of Azure Blob Storage."""
