"""Backfills (domain.md 2.14)."""
