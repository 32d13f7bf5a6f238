"""The audit's chain: a table for its seals, and indexes for searching the audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations import grants
from shared.database.migrations.columns import BIGINT, TEXT, UUID

revision = "0002"
down_revision = "0001"
branch_labels = depends_on = None


def upgrade() -> None:
    """Create the table, append-only for ``app_user``, and the indexes."""
    op.create_table(
        "audit_seals",
        Column("tenant_id", UUID, nullable=False),
        Column("position", BIGINT, autoincrement=False, nullable=False),
        Column("audit_id", UUID, nullable=False),
        Column("previous_hash", TEXT, nullable=False),
        Column("hash", TEXT, nullable=False),
        sa.CheckConstraint("position >= 1", name="position"),
        sa.PrimaryKeyConstraint("tenant_id", "position"),
        sa.UniqueConstraint("audit_id"),
    )
    for column in ("on_behalf_of", "resource_id"):
        op.create_index(None, "audit_entries", [column, "occurred_at", "id"])
    grants.grant_to_app_user(grants.APPEND_ONLY, "audit_seals")
