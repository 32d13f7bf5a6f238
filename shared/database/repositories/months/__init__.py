"""What a month shows (domain.md 2.20)."""
