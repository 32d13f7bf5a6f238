"""Indexes for runs with unread events or trouble; why a verification's totals differ."""

from alembic import op
from sqlalchemy import Column, text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"
branch_labels = depends_on = None


def upgrade() -> None:
    """Two small indexes, and a column that the previous version leaves empty."""
    op.add_column("verifications", Column("explained", JSONB()))
    op.create_index(
        "ix_archive_runs_unread",
        "archive_runs",
        ["configuration_id", "planned_at"],
        postgresql_where=text("CAST(plan ->> 'unreadable' AS integer) > 0"),
    )
    op.create_index(
        "ix_archive_runs_trouble",
        "archive_runs",
        ["tenant_id", "finished_at"],
        postgresql_where=text("state IN ('failed', 'completed_with_errors')"),
    )
