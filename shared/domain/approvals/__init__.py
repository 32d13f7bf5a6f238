"""Approvals to archive another person's mailbox (domain.md 6.5)."""
