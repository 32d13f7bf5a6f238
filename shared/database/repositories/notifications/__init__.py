"""Notifications and mail (domain.md 10)."""
