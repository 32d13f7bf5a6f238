"""What is known of an archived event, and whether it counts (domain.md 2.18)."""
