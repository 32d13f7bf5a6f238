"""Answers to repeated changes. Archive configurations are deleted without losing their record."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations import grants
from shared.database.migrations.columns import INTEGER, JSONB, NOW, TEXT, TIME, UUID

revision = "0003"
down_revision = "0002"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add ``idempotency_keys`` and ``archive_configurations.deleted_at``."""
    _idempotency_keys()
    _deleted_configurations()
    grants.grant_to_app_user(grants.READ_AND_WRITE, "idempotency_keys")


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("caller", TEXT, nullable=False),
        Column("operation", TEXT, nullable=False),
        Column("key", TEXT, nullable=False),
        Column("request_hash", sa.LargeBinary(), nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id", ondelete="CASCADE")),
        Column("status", INTEGER),
        Column("headers", JSONB, server_default=sa.text("'{}'"), nullable=False),
        Column("body", sa.LargeBinary()),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint("octet_length(body) <= 65536", name="body"),
        sa.UniqueConstraint("tenant_id", "caller", "operation", "key"),
    )
    op.create_index(None, "idempotency_keys", ["owner_id"])
    op.create_index(None, "idempotency_keys", ["created_at"])


def _deleted_configurations() -> None:
    op.add_column("archive_configurations", Column("deleted_at", TIME))
    # A deleted configuration's name is free again. The index keeps the constraint's name, which errors depend
    # on.
    op.drop_constraint(op.f("uq_archive_configurations_owner_id_name"), "archive_configurations")
    op.create_index(
        op.f("uq_archive_configurations_owner_id_name"),
        "archive_configurations",
        ["owner_id", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
