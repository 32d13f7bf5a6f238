"""People: how they join, what is held on them, how they leave (domain.md 1, 15)."""
