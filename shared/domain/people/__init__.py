"""People, and what happens to their data when they leave (domain.md 15)."""
