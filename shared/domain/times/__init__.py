"""Time zones, days, schedules (domain.md 2.2, 8.1)."""
