"""Emergency access to private events, and notifications about it and about exports (domain.md 6.3, 15.2)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations.columns import TEXT, TIME, UUID, allow_values, versioned
from shared.database.migrations.grants import READ_AND_WRITE, grant_to_app_user

revision = "0029"
down_revision = "0028"
branch_labels = depends_on = None

TABLE = "break_glass_accesses"
_CLASSES = (
    *("run_finished", "run_failed", "overlap_needs_you", "category_issues", "job_paused"),
    *("locked_period_change", "verify_difference", "mailbox_read", "meeting_needs_you", "data_access"),
)
_SUBJECTS = (
    *("archive_run", "archive_configuration", "verification", "mailbox_approval"),
    *("break_glass_access", "user_export"),
)


def upgrade() -> None:
    """Create the table, and let notifications and exports refer to it."""
    op.create_table(
        TABLE,
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("admin_id", UUID, nullable=False),
        Column("reason", TEXT, nullable=False),
        Column("opened_at", TIME, nullable=False),
        Column("ends_at", TIME, nullable=False),
        Column("closed_at", TIME),
        Column("closed_by", TEXT),
        *versioned(),
        sa.CheckConstraint("ends_at > opened_at", name="ends_at"),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by"),
    )
    op.create_index(None, TABLE, ["owner_id"])
    op.create_index(None, TABLE, ["tenant_id", "created_at", "id"])
    op.create_index(
        "ix_break_glass_accesses_open",
        TABLE,
        ["tenant_id", "admin_id", "ends_at"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.add_column("user_exports", Column("break_glass_id", UUID))
    op.create_foreign_key(
        op.f("fk_user_exports_break_glass_id"), "user_exports", TABLE, ["break_glass_id"], ["id"]
    )
    op.create_index(None, "user_exports", ["break_glass_id"])
    allow_values("notifications", "class", _CLASSES)
    allow_values("notifications", "resource_type", _SUBJECTS)
    grant_to_app_user(READ_AND_WRITE, TABLE)
