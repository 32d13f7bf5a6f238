"""Calendars of both stores: resolving, listing and keeping (domain.md 1)."""
