"""What jobs do (domain.md 8.1)."""
