"""Archive configurations: saved, changed, deleted (domain.md 1, 2.19)."""
