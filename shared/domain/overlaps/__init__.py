"""Overlapping events: groups, rules and states (domain.md 5)."""
