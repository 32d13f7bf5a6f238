"""A run that could read nothing is failed."""

from shared.database.migrations.columns import allow_values

revision = "0022"
down_revision = "0021"
branch_labels = depends_on = None

_STATES = ("queued", "running", "completed", "completed_with_errors", "failed", "cancelled")


def upgrade() -> None:
    """Allow the state; the previous version of the app never writes it."""
    allow_values("archive_runs", "state", _STATES)
