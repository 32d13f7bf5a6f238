"""Who approved other people's mailboxes; archive calendars that are gone and were created again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

from shared.database.migrations.columns import TEXT, TIME, UUID, allow_values, flag

revision = "0013"
down_revision = "0012"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add the facts by which runs check references, and those of a rebuild."""
    _configurations()
    op.add_column("jobs", flag("waits_for_archive"))
    op.add_column("archived_events", Column("lost_at", TIME))
    op.create_index(
        "ix_archived_events_lost",
        "archived_events",
        ["configuration_id", "start_at", "id"],
        postgresql_where=sa.text("lost_at IS NOT NULL"),
    )
    allow_values("archive_runs", "mode", ("normal", "replace", "put_back", "edit", "rebuild"))


def _configurations() -> None:
    table = "archive_configurations"
    op.add_column(
        table,
        Column(
            "approved_mailbox_ids",
            postgresql.ARRAY(UUID),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column(table, Column("mailboxes_approved_by", TEXT))
    op.add_column(table, Column("archive_calendar_name", TEXT))
    op.add_column(table, Column("archive_gone_since", TIME))
    op.add_column(table, Column("rebuilding_name", TEXT))
    # So far only an Admin could save another person's mailbox. The audit knows who it was.
    op.execute("""
        UPDATE archive_configurations c
           SET approved_mailbox_ids = ARRAY(SELECT DISTINCT m FROM unnest(ARRAY[c.source_mailbox_id,
                   c.archive_mailbox_id]) AS m WHERE m <> u.object_id ORDER BY m),
               mailboxes_approved_by = COALESCE(
                   (SELECT min(a.actor) FROM audit_entries a
                     WHERE a.resource_type = 'archive_configuration' AND a.resource_id = c.id::text
                       AND a.action = 'archive_configuration.created'), 'system:migration')
          FROM users u
         WHERE u.id = c.owner_id
           AND (c.source_mailbox_id <> u.object_id OR c.archive_mailbox_id <> u.object_id)
    """)
    for role in ("source", "archive"):
        op.create_index(f"ix_{table}_{role}_calendar", table, [f"{role}_mailbox_id", f"{role}_calendar_id"])
