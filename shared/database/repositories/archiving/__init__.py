"""Runs, their writes, and the map of what was archived (domain.md 2)."""
