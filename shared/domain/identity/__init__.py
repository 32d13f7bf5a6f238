"""Who acts, and who may see what (domain.md 1, 6.3)."""
