"""Further tenants, settings of a tenant, invitations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations import grants
from shared.database.migrations.columns import FLAG, INTEGER, JSONB, NOW, TEXT, TIME, UUID, versioned

revision = "0011"
down_revision = "0010"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add ``tenants``, ``system_settings`` and ``invitations``."""
    _tenants()
    _system_settings()
    _invitations()
    grants.grant_to_app_user(grants.READ_AND_WRITE, "tenants", "system_settings", "invitations")


def _tenants() -> None:
    op.create_table(
        "tenants",
        Column("id", UUID, primary_key=True),
        Column("name", TEXT, nullable=False),
        Column("active", FLAG, server_default=sa.text("true"), nullable=False),
        Column("added_by", TEXT, nullable=False),
        *versioned(),
    )
    op.create_index(None, "tenants", ["created_at", "id"])


def _system_settings() -> None:
    op.create_table(
        "system_settings",
        Column("tenant_id", UUID, primary_key=True),
        Column("chosen", JSONB, server_default=sa.text("'{}'"), nullable=False),
        Column("version", INTEGER, server_default=sa.text("0"), nullable=False),
        Column("updated_by", TEXT),
        Column("updated_at", TIME, server_default=NOW, nullable=False),
    )


def _invitations() -> None:
    op.create_table(
        "invitations",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("address", TEXT, nullable=False),
        Column("invited_by", TEXT, nullable=False),
        Column("state", TEXT, server_default=sa.text("'open'"), nullable=False),
        Column("user_id", UUID, sa.ForeignKey("users.id", ondelete="CASCADE")),
        Column("expires_at", TIME, nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("closed_at", TIME),
        sa.CheckConstraint("state IN ('open', 'accepted', 'revoked')", name="state"),
    )
    op.create_index(None, "invitations", ["user_id"])
    op.create_index(None, "invitations", ["tenant_id", "created_at", "id"])
    op.create_index(
        "uq_invitations_open",
        "invitations",
        ["tenant_id", sa.text("lower(address)")],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
