"""Jobs: what runs when (domain.md 8)."""
