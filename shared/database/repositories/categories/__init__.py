"""Categories, and what the archive says of them (domain.md 3)."""
