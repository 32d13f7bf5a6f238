"""The facts of a month (domain.md 2.20)."""
