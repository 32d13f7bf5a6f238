"""Groups of overlapping events (domain.md 5)."""
