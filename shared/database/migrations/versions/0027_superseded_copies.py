"""A copy may be superseded: another one stands for its meeting (domain.md 2.16, 2.17)."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0023"
branch_labels = depends_on = None

_STATES = (
    *("creating", "present", "merged", "removed_by_owner", "source_deleted"),
    *("consumed", "left_out", "flagged", "superseded"),
)
_ACTIONS = ("create", "update", "supersede")


def upgrade() -> None:
    """Allow the state and the operation; the previous version of the app never writes them."""
    table = "archived_events"
    op.add_column(table, sa.Column("superseding_since", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_archived_events_superseding",
        table,
        ["configuration_id", "start_at"],
        postgresql_where=sa.text("superseding_since IS NOT NULL"),
    )
    _allow(table, "state", _STATES)
    _allow("archive_operations", "action", _ACTIONS)


def _allow(table: str, column: str, values: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({', '.join(repr(value) for value in values)})")
