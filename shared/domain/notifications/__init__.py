"""What people are told, and how (domain.md 10)."""
