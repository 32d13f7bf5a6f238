"""Notifications and mail to people (domain.md 10)."""
