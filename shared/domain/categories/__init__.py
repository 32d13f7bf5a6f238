"""Categories, their statistics and suggestions (domain.md 3)."""
