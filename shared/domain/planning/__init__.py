"""What a plan decides for the events of a window (domain.md 2 to 6)."""
