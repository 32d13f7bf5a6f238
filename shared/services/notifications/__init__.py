"""Notifications to people, and reminders of what waits for them (domain.md 10)."""
