"""Overlapping events: read and resolved by their owners (domain.md 5)."""
