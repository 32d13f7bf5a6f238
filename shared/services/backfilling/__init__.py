"""Backfill: the time before the nightly runs (domain.md 2.14)."""
