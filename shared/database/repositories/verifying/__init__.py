"""Verifications and their findings (domain.md 2.15)."""
