"""Overlapping events: groups, rules, their life (domain.md 5)."""
