"""Comparisons of source, record and archive; backfills."""

revision = "0009"
down_revision = "0008"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add verifications and backfills."""
