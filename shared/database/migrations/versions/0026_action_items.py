"""Action items about archived meetings, and superseded copies (domain.md 2.16, 2.17)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations.columns import JSONB, TEXT, TIME, UUID, allow_values, versioned
from shared.database.migrations.grants import READ_AND_WRITE, grant_to_app_user

revision = "0026"
down_revision = "0025"
branch_labels = depends_on = None

_ANSWERS = (
    "('one_meeting', 'two_meetings', 'new_one_only', 'took_place', 'was_postponed', "
    "'keep_archived', 'take_series')"
)
#: Values that a column may have from now on, by table and column.
_ALLOWED = {
    ("archived_events", "state"): (
        *("creating", "present", "merged", "removed_by_owner", "source_deleted", "consumed", "left_out"),
        *("flagged", "superseded"),
    ),
    ("appointments", "excluded"): ("consumed", "resolution", "superseded"),
    ("notifications", "class"): (
        *("run_finished", "run_failed", "overlap_needs_you", "category_issues", "job_paused"),
        *("locked_period_change", "verify_difference", "mailbox_read", "meeting_needs_you"),
    ),
}


def upgrade() -> None:
    """Create the tables. Allow values that the previous version of the app never writes."""
    _action_items()
    _events()
    grant_to_app_user(READ_AND_WRITE, "action_items", "action_item_events")
    for (table, column), values in _ALLOWED.items():
        allow_values(table, column, values)


def _action_items() -> None:
    table = "action_items"
    op.create_table(
        table,
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("kind", TEXT, nullable=False),
        Column("question", TEXT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column("about", TEXT, nullable=False),
        Column("answer", TEXT),
        Column("answered_at", TIME),
        Column("answered_by", TEXT),
        Column("proposal", TEXT),
        Column("closed_reason", TEXT),
        Column("start_at", TIME, nullable=False),
        Column("end_at", TIME, nullable=False),
        Column("opened_at", TIME, nullable=False),
        Column("expires_at", TIME),
        Column("due_at", TIME),
        Column("carried_out_at", TIME),
        Column("remind_at", TIME),
        Column("reminders_sent", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        Column("log", JSONB, server_default=sa.text("'[]'"), nullable=False),
        *versioned(),
        sa.CheckConstraint("kind IN ('same_meeting', 'series_reset')", name="kind"),
        sa.CheckConstraint("question IN ('likely_same', 'moved_on', 'series_changed')", name="question"),
        sa.CheckConstraint("status IN ('open', 'answered', 'expired', 'closed')", name="status"),
        sa.CheckConstraint(f"answer IN {_ANSWERS}", name="answer"),
        sa.CheckConstraint(f"proposal IN {_ANSWERS}", name="proposal"),
        sa.CheckConstraint("closed_reason IN ('settled_itself', 'source_taken')", name="closed_reason"),
        sa.CheckConstraint("reminders_sent BETWEEN 0 AND 3", name="reminders_sent"),
        sa.CheckConstraint("start_at <= end_at", name="interval"),
    )
    op.create_index(None, table, ["owner_id", "opened_at", "id"])
    op.create_index(None, table, ["configuration_id", "status"])
    op.create_index(None, table, ["owner_id", "about"])
    is_open = sa.text("status = 'open'")
    op.create_index(
        "uq_action_items_open", table, ["configuration_id", "about"], unique=True, postgresql_where=is_open
    )
    op.create_index(None, table, ["expires_at"], postgresql_where=is_open)
    op.create_index(None, table, ["remind_at"], postgresql_where=is_open)
    op.create_index(None, table, ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))


def _events() -> None:
    table = "action_item_events"
    op.create_table(
        table,
        Column("item_id", UUID, sa.ForeignKey("action_items.id", ondelete="CASCADE"), nullable=False),
        Column("source_key", TEXT, nullable=False),
        Column("side", TEXT, nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("archived_event_id", UUID, sa.ForeignKey("archived_events.id")),
        Column("origin_mailbox_id", UUID),
        Column("source_id", TEXT, nullable=False),
        Column("revision", TEXT, nullable=False),
        Column("start_at", TIME, nullable=False),
        Column("end_at", TIME, nullable=False),
        Column("record", JSONB),
        sa.CheckConstraint("side IN ('archived', 'new')", name="side"),
        sa.CheckConstraint(
            "(side = 'archived') <= (archived_event_id IS NOT NULL)", name="archived_event_id"
        ),
        sa.PrimaryKeyConstraint("item_id", "source_key", "side"),
    )
    op.create_index(None, table, ["configuration_id", "source_key"])
    op.create_index(None, table, ["archived_event_id"])
    op.execute(f"""
        CREATE TRIGGER record_origin BEFORE INSERT ON {table}
            FOR EACH ROW EXECUTE FUNCTION record_origin_of_archived()
    """)
