"""Overlapping events: reading and resolving by their owners (domain.md 5)."""
