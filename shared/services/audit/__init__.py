"""The audit: written, sealed, read and verified (domain.md 7)."""
