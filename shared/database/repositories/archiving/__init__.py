"""Runs, their writes, and the map of archived events (domain.md 2)."""
