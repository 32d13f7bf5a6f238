"""People who leave: legal holds, exports of their data, erasures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations import grants
from shared.database.migrations.columns import BIGINT, INTEGER, JSONB, NOW, TEXT, TIME, UUID, flag

revision = "0010"
down_revision = "0009"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add what a leaving person needs to ``users``, and ``user_exports`` and ``user_erasures``."""
    for name, kind in (("offboarded_at", TIME), ("legal_hold_reason", TEXT), ("legal_hold_since", TIME)):
        op.add_column("users", Column(name, kind))
    _exports()
    _erasures()
    grants.grant_to_app_user(grants.READ_AND_WRITE, "user_exports", "user_erasures")


def _exports() -> None:
    op.create_table(
        "user_exports",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("requested_by", TEXT, nullable=False),
        Column("state", TEXT, server_default=sa.text("'queued'"), nullable=False),
        Column("parts_done", INTEGER, server_default=sa.text("0"), nullable=False),
        Column("parts_total", INTEGER, server_default=sa.text("0"), nullable=False),
        Column("rows", BIGINT, server_default=sa.text("0"), nullable=False),
        Column("size_bytes", BIGINT),
        Column("sha256", TEXT),
        Column("failure", TEXT),
        Column("correlation_id", TEXT, nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("dispatched_at", TIME),
        Column("finished_at", TIME),
        Column("expires_at", TIME),
        sa.CheckConstraint("state IN ('queued', 'running', 'ready', 'failed')", name="state"),
    )
    op.create_index(None, "user_exports", ["owner_id", "created_at", "id"])
    op.create_index(
        "uq_user_exports_open",
        "user_exports",
        ["owner_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )


def _erasures() -> None:
    steps = "'stop', 'wait', 'copies', 'history', 'storage', 'rows', 'mentions', 'key', 'person'"
    op.create_table(
        "user_erasures",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("user_id", UUID, nullable=False),
        Column("requested_by", TEXT, nullable=False),
        Column("confirmed_by", TEXT),
        flag("remove_copies"),
        Column("state", TEXT, server_default=sa.text("'requested'"), nullable=False),
        Column("step", TEXT, server_default=sa.text("'stop'"), nullable=False),
        Column("preview", JSONB, server_default=sa.text("'{}'"), nullable=False),
        Column("report", JSONB, server_default=sa.text("'{}'"), nullable=False),
        Column("failure", TEXT),
        Column("correlation_id", TEXT, nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("confirmed_at", TIME),
        Column("dispatched_at", TIME),
        Column("finished_at", TIME),
        sa.CheckConstraint(
            "state IN ('requested', 'withdrawn', 'erasing', 'failed', 'completed')", name="state"
        ),
        sa.CheckConstraint(f"step IN ({steps})", name="step"),
    )
    op.create_index(None, "user_erasures", ["tenant_id", "created_at", "id"])
    op.create_index(
        "uq_user_erasures_open",
        "user_erasures",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('requested', 'erasing', 'failed')"),
    )
