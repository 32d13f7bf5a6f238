"""Calendars kept in our database."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations import grants
from shared.database.migrations.columns import FLAG, TEXT, TEXTS, TIME, UUID, versioned

revision = "0007"
down_revision = "0006"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add local calendars and their events."""
    _local_calendars()
    _local_events()
    grants.grant_to_app_user(grants.READ_AND_WRITE, "local_calendars", "local_events")


def _local_calendars() -> None:
    op.create_table(
        "local_calendars",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("mailbox_id", UUID, nullable=False),
        Column("name", TEXT, nullable=False),
        Column("name_key", TEXT, nullable=False),
        *versioned(),
        sa.UniqueConstraint("owner_id", "name_key"),
    )
    op.create_index(None, "local_calendars", ["tenant_id", "mailbox_id"])


def _local_events() -> None:
    op.create_table(
        "local_events",
        Column("id", UUID, primary_key=True),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("calendar_id", UUID, sa.ForeignKey("local_calendars.id", ondelete="CASCADE"), nullable=False),
        *(Column(name, TEXT) for name in ("transaction_id", "archive_key")),
        *(Column(name, TEXT) for name in ("archive_revision", "archive_source")),
        *(Column(name, TEXT, nullable=False) for name in ("subject", "body", "body_type")),
        Column("start_at", TIME, nullable=False),
        Column("end_at", TIME, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("start_zone", "end_zone")),
        Column("is_all_day", FLAG, nullable=False),
        Column("location", TEXT, nullable=False),
        Column("categories", TEXTS, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("show_as", "importance", "sensitivity")),
        *versioned(),
        sa.CheckConstraint("start_at <= end_at", name="interval"),
        sa.CheckConstraint("body_type IN ('text', 'html')", name="body_type"),
        sa.CheckConstraint(
            "show_as IN ('free', 'tentative', 'busy', 'oof', 'workingElsewhere', 'unknown')", name="show_as"
        ),
        sa.CheckConstraint("importance IN ('low', 'normal', 'high')", name="importance"),
        sa.CheckConstraint(
            "sensitivity IN ('normal', 'personal', 'private', 'confidential')", name="sensitivity"
        ),
        sa.UniqueConstraint("calendar_id", "transaction_id"),
    )
    op.create_index(None, "local_events", ["owner_id"])
    op.create_index(None, "local_events", ["calendar_id", "start_at", "id"])
    has_key = sa.text("archive_key IS NOT NULL")
    op.create_index(None, "local_events", ["calendar_id", "archive_key"], postgresql_where=has_key)
