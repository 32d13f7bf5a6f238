"""People: how they join, what we store about them, and how they leave (domain.md 1, 15)."""
