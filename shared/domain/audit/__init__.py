"""The audit: its words, its chain, what it shows (domain.md 7)."""
