"""What is known about an archived event, and whether it counts (domain.md 2.18)."""
