"""A person's month (domain.md 2.20)."""
