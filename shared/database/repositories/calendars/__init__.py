"""Calendars kept in our own database (domain.md 1)."""
