"""What a plan decides of the events of a window (domain.md 2 to 6)."""
