"""Copies: what is written and what is read back (domain.md 2.6)."""
