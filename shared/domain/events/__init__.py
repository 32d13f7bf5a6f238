"""Source events: their content and their identity (domain.md 2.3)."""
