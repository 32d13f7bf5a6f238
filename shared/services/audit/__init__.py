"""The audit: writing, sealing, reading and verifying (domain.md 7)."""
