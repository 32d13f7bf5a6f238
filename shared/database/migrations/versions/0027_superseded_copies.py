"""A copy may be superseded. An item of a changed series stores its state (domain.md 2.16, 2.17)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = depends_on = None

_ACTIONS = ("create", "update", "supersede")


def upgrade() -> None:
    """Allow the state and the operation, which the previous version of the app never writes."""
    table = "archived_events"
    op.add_column(table, sa.Column("superseding_since", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_archived_events_superseding",
        table,
        ["configuration_id", "start_at"],
        postgresql_where=sa.text("superseding_since IS NOT NULL"),
    )
    op.add_column("action_items", sa.Column("series", postgresql.JSONB()))
    name = op.f("ck_archive_operations_action")
    op.drop_constraint(name, "archive_operations", type_="check")
    op.create_check_constraint(
        name, "archive_operations", f"action IN ({', '.join(repr(value) for value in _ACTIONS)})"
    )
