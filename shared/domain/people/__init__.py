"""People, and what happens to their data (domain.md 15)."""
