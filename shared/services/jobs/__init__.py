"""Jobs: queueing, claiming, and the effect of their end (domain.md 8)."""
