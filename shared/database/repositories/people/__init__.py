"""People's data, and its deletion (domain.md 15)."""
