"""What runs when (domain.md 8)."""
