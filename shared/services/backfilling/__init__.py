"""Backfill: what lies before the nightly runs (domain.md 2.14)."""
