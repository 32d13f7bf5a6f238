"""All SQL, one module for each aggregate."""
