"""What people are told (domain.md 10)."""
