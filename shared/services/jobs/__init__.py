"""Jobs: queued, claimed when due, and what their end means (domain.md 8)."""
