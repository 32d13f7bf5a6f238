"""Categories, and facts about them in the archive (domain.md 3)."""
