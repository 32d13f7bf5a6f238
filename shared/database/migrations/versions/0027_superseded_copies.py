"""A copy may be superseded. An item of a changed series stores its state (domain.md 2.16, 2.17)."""

import sqlalchemy as sa
from alembic import op

from shared.database.migrations.columns import JSONB, TIME, allow_values

revision = "0027"
down_revision = "0026"
branch_labels = depends_on = None


def upgrade() -> None:
    """Allow the state and the operation, which the previous version of the app never writes."""
    table = "archived_events"
    op.add_column(table, sa.Column("superseding_since", TIME))
    op.create_index(
        "ix_archived_events_superseding",
        table,
        ["configuration_id", "start_at"],
        postgresql_where=sa.text("superseding_since IS NOT NULL"),
    )
    op.add_column("action_items", sa.Column("series", JSONB))
    allow_values("archive_operations", "action", ("create", "update", "supersede"))
