"""Rebuilding an archive calendar that was deleted, from our record (domain.md 1)."""
