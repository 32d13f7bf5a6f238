"""Compares source, record and archive calendar, and carries out what the owner wants."""
