"""Notifications, and reminders of waiting overlaps."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations import grants
from shared.database.migrations.columns import INTEGER, TEXT, TIME, UUID, versioned

revision = "0012"
down_revision = "0011"
branch_labels = depends_on = None

_CHECKS = {
    "audience": "audience IN ('owner', 'admins')",
    "class": "class IN ('run_finished', 'run_failed', 'overlap_needs_you', 'category_issues', 'job_paused',"
    " 'locked_period_change', 'verify_difference')",
    "state": "state IN ('info', 'attention', 'failure', 'progress')",
    "resource_type": "resource_type IN ('archive_run', 'archive_configuration', 'verification')",
    "percent": "percent BETWEEN 0 AND 100",
    "progress": "(state = 'progress') <= (percent IS NOT NULL)",
    "count": "count >= 0",
}


def upgrade() -> None:
    """Add ``notifications``, and the reminders of waiting groups to ``overlap_groups``."""
    _notifications()
    grants.grant_to_app_user(grants.READ_AND_WRITE, "notifications")
    _reminders()


def _notifications() -> None:
    op.create_table(
        "notifications",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("audience", TEXT, nullable=False),
        Column("class", TEXT, nullable=False),
        Column("transaction_id", TEXT, nullable=False),
        Column("title", TEXT, nullable=False),
        Column("text", TEXT, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("percent", INTEGER),
        Column("count", INTEGER, server_default=sa.text("0"), nullable=False),
        Column("resource_type", TEXT, nullable=False),
        Column("resource_id", UUID, nullable=False),
        *versioned(),
        Column("read_at", TIME),
        *(sa.CheckConstraint(rule, name=name) for name, rule in _CHECKS.items()),
        sa.UniqueConstraint("owner_id", "transaction_id"),
    )
    op.create_index(None, "notifications", ["owner_id", "created_at", "id"])
    op.create_index(
        "ix_notifications_unread", "notifications", ["owner_id"], postgresql_where=sa.text("read_at IS NULL")
    )
    op.create_index(
        "ix_notifications_admins",
        "notifications",
        ["tenant_id", "created_at", "id"],
        postgresql_where=sa.text("audience = 'admins'"),
    )


def _reminders() -> None:
    op.add_column("overlap_groups", Column("remind_at", TIME))
    op.add_column(
        "overlap_groups",
        Column("reminders_sent", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_overlap_groups_reminders_sent"), "overlap_groups", "reminders_sent BETWEEN 0 AND 3"
    )
    # Waiting groups have sent no reminder yet.
    op.execute("""
        UPDATE overlap_groups SET remind_at = opened_at + interval '1 day' WHERE status = 'flagged'
    """)
    op.create_index(None, "overlap_groups", ["remind_at"], postgresql_where=sa.text("status = 'flagged'"))
