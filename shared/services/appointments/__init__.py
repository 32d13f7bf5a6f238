"""Our record of what was archived (domain.md 1)."""
