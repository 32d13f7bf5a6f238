"""Source events: what they say and how they are known (domain.md 2.3)."""
