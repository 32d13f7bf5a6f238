"""Comparing source, record and archive calendar (domain.md 2.15)."""
