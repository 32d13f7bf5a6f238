"""Calendars of both stores: found, listed, kept (domain.md 1)."""
