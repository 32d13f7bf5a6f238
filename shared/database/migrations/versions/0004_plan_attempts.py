"""The number of the present attempt at planning a run."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add ``archive_runs.plan_attempt``."""
    op.add_column(
        "archive_runs", sa.Column("plan_attempt", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
