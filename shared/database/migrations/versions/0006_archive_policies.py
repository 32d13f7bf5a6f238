"""Policies of configurations, modifications, overlap groups, locked periods."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

from shared.database.migrations import grants
from shared.database.migrations.columns import FLAG, INTEGER, JSONB, NOW, TEXT, TIME, UUID, flag, versioned

revision = "0006"
down_revision = "0005"
branch_labels = depends_on = None

EMPTY_LIST = sa.text("'[]'")


def upgrade() -> None:
    """Add what the rules of domain.md 2 to 6 store. The previous version of the app fills in defaults."""
    _configurations()
    _archived_events()
    _appointments()
    _operations()
    _overlap_groups()
    _overlap_members()
    _period_locks()
    grants.grant_to_app_user(grants.READ_AND_WRITE, "overlap_groups", "overlap_members", "period_locks")


def _configurations() -> None:
    keep_all = sa.text("'keep_all'")
    op.add_column(
        "archive_configurations", Column("overlap_policy", TEXT, server_default=keep_all, nullable=False)
    )
    for name in ("all_day_counts", "privacy_automation", "out_of_office"):
        op.add_column("archive_configurations", flag(name))
    op.create_check_constraint(
        op.f("ck_archive_configurations_overlap_policy"),
        "archive_configurations",
        "overlap_policy IN ('keep_all', 'flag', 'auto')",
    )


def _archived_events() -> None:
    op.add_column("archived_events", Column("left_out", TEXT))
    op.add_column(
        "archived_events", Column("modifications", JSONB, server_default=EMPTY_LIST, nullable=False)
    )
    op.add_column("archived_events", Column("conflict_revision", TEXT))
    op.create_check_constraint(
        op.f("ck_archived_events_left_out"),
        "archived_events",
        "left_out IN ('free', 'personal', 'invalid_category', 'overlap_rule', 'resolution')",
    )


def _appointments() -> None:
    op.add_column("appointments", Column("modifications", JSONB, server_default=EMPTY_LIST, nullable=False))
    op.add_column("appointments", Column("source_sensitivity", TEXT))
    op.add_column("appointments", Column("source_show_as", TEXT))
    op.add_column("appointments", Column("excluded", TEXT))
    op.add_column("appointments", flag("unresolved"))
    op.create_check_constraint(
        op.f("ck_appointments_excluded"), "appointments", "excluded IN ('consumed', 'resolution')"
    )


def _operations() -> None:
    op.add_column("archive_operations", flag("margin"))


def _overlap_groups() -> None:
    op.create_table(
        "overlap_groups",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("status", TEXT, nullable=False),
        Column("member_count", INTEGER, nullable=False),
        Column("start_at", TIME, nullable=False),
        Column("end_at", TIME, nullable=False),
        Column("opened_at", TIME, nullable=False),
        Column("expires_at", TIME),
        Column("settled_at", TIME),
        Column("settled_by", TEXT),
        Column("archive_due_at", TIME),
        Column("log", JSONB, server_default=EMPTY_LIST, nullable=False),
        Column("resolution", JSONB),
        Column("proposal", JSONB),
        Column("merged_into", UUID, sa.ForeignKey("overlap_groups.id")),
        *versioned(),
        sa.CheckConstraint(
            "status IN ('recorded', 'resolved', 'flagged', 'settled', 'expired', 'closed', 'merged')",
            name="status",
        ),
        sa.CheckConstraint("start_at <= end_at", name="interval"),
        sa.CheckConstraint("(status = 'merged') = (merged_into IS NOT NULL)", name="merged_into"),
    )
    op.create_index(None, "overlap_groups", ["merged_into"])
    op.create_index(None, "overlap_groups", ["owner_id", "opened_at", "id"])
    op.create_index(None, "overlap_groups", ["configuration_id", "status"])
    op.create_index(None, "overlap_groups", ["expires_at"], postgresql_where=sa.text("status = 'flagged'"))
    op.create_index(
        None, "overlap_groups", ["archive_due_at"], postgresql_where=sa.text("archive_due_at IS NOT NULL")
    )


def _overlap_members() -> None:
    op.create_table(
        "overlap_members",
        Column("group_id", UUID, sa.ForeignKey("overlap_groups.id", ondelete="CASCADE"), nullable=False),
        Column("source_key", TEXT, nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("revision", TEXT, nullable=False),
        Column("start_at", TIME, nullable=False),
        Column("end_at", TIME, nullable=False),
        Column("verdict", TEXT, nullable=False),
        Column("kept", FLAG),
        flag("departed"),
        Column("record", JSONB),
        sa.CheckConstraint("verdict IN ('kept', 'dropped', 'flagged')", name="verdict"),
        sa.PrimaryKeyConstraint("group_id", "source_key"),
    )
    op.create_index(None, "overlap_members", ["configuration_id", "source_key"])
    op.create_index(
        "ix_overlap_members_departed",
        "overlap_members",
        ["configuration_id"],
        postgresql_where=sa.text("departed"),
    )
    op.create_index(
        "ix_overlap_members_recorded",
        "overlap_members",
        ["configuration_id"],
        postgresql_where=sa.text("record IS NOT NULL"),
    )


def _period_locks() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.create_table(
        "period_locks",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("customer_key", TEXT, server_default=sa.text("'*'"), nullable=False),
        Column("period", postgresql.DATERANGE(), nullable=False),
        Column("locked_at", TIME, server_default=NOW, nullable=False),
        Column("locked_by", TEXT, nullable=False),
        Column("reopened_at", TIME),
        Column("reopened_by", TEXT),
        sa.CheckConstraint("NOT isempty(period) AND lower(period) IS NOT NULL", name="period"),
        postgresql.ExcludeConstraint(
            ("owner_id", "="),
            ("customer_key", "="),
            ("period", "&&"),
            where=sa.text("reopened_at IS NULL"),
            using="gist",
            name=op.f("ex_period_locks_period"),
        ),
    )
    op.create_index(None, "period_locks", ["owner_id", "locked_at", "id"])
