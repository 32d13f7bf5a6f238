"""The audit and its chain (domain.md 7)."""
