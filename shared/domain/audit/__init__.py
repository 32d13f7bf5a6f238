"""The audit: its actions, its hash chain, and what it shows (domain.md 7)."""
