"""Calendars of our own, beside Graph's."""
