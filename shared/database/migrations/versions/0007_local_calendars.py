"""Calendars kept in our database."""

revision = "0007"
down_revision = "0006"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add local calendars and their events."""
