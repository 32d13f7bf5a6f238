"""People's data, and how it leaves (domain.md 15)."""
