"""Archive configurations: saving, changing, deleting (domain.md 1, 2.19)."""
