"""Rows of the map get the source's immutable id, their series, and who saw them first."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations.columns import JSONB, TEXT, TIME, UUID, allow_values

revision = "0021"
down_revision = "0020"
branch_labels = depends_on = None

_LEFT_OUT = ("free", "personal", "invalid_category", "overlap_rule", "resolution", "series_changed")


def upgrade() -> None:
    """Add what identifies meetings. The previous version of the app leaves it empty."""
    table = "archived_events"
    op.add_column(table, Column("series_id", TEXT))
    op.add_column(table, Column("entered_by", UUID))
    op.add_column(table, Column("kept_categories", JSONB, server_default=sa.text("'[]'"), nullable=False))
    op.execute("""
        UPDATE archived_events SET series_id = split_part(source_key, ':', 2) WHERE source_key LIKE 'o:%'
    """)
    op.create_index(None, table, ["configuration_id", "source_id"])
    op.create_index(
        None, table, ["configuration_id", "series_id"], postgresql_where=sa.text("series_id IS NOT NULL")
    )
    allow_values(table, "left_out", _LEFT_OUT)
    op.add_column("appointments", Column("source_start_at", TIME))
    op.add_column("appointments", Column("source_end_at", TIME))
    op.add_column("appointments", Column("source_type", TEXT))
