"""Rebuilds a deleted archive calendar from our record (domain.md 1)."""
