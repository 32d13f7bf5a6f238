"""Calendars and their port (domain.md 1)."""
