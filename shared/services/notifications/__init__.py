"""What people are told: read by them, and reminders of what waits for them (domain.md 10)."""
