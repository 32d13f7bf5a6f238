"""A run that could read nothing is failed."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = depends_on = None

_CHECK = "ck_archive_runs_state"
_STATES = ("queued", "running", "completed", "completed_with_errors", "failed", "cancelled")


def upgrade() -> None:
    """Allow the state; the previous version of the app never writes it."""
    op.drop_constraint(op.f(_CHECK), "archive_runs", type_="check")
    op.create_check_constraint(
        op.f(_CHECK), "archive_runs", f"state IN ({', '.join(repr(state) for state in _STATES)})"
    )
