"""Archive configurations (domain.md 1)."""
