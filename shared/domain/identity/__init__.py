"""Who acts, and who sees what (domain.md 1, 6.3)."""
