"""The months of a backfill (domain.md 2.14)."""
