"""The first tables: users, archive configurations, jobs, runs, operations, appointments, gates, audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations import grants
from shared.database.migrations.columns import (
    BIGINT,
    FLAG,
    INTEGER,
    JSONB,
    NOW,
    TEXT,
    TEXTS,
    TIME,
    UUID,
    flag,
    timestamps,
    versioned,
)

revision = "0001"
down_revision = None
branch_labels = depends_on = None

READ_AND_WRITTEN = (
    *("users", "archive_configurations", "jobs", "archive_runs", "archived_events"),
    *("archive_operations", "appointments", "mailbox_gates"),
)


def upgrade() -> None:
    """Create every table and give ``app_user`` its rights."""
    _users()
    _archive_configurations()
    _jobs()
    _archive_runs()
    _archived_events()
    _archive_operations()
    _appointments()
    _mailbox_gates()
    _audit_entries()
    grants.create_app_user()
    grants.grant_to_app_user(grants.READ_AND_WRITE, *READ_AND_WRITTEN)
    grants.grant_to_app_user(grants.APPEND_ONLY, "audit_entries")
    grants.grant_to_app_user(grants.READ_ONLY, "alembic_version")


def _users() -> None:
    op.create_table(
        "users",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("object_id", UUID, nullable=False),
        Column("address", TEXT, nullable=False),
        Column("display_name", TEXT, nullable=False),
        Column("active", FLAG, server_default=sa.text("true"), nullable=False),
        *versioned(),
        sa.UniqueConstraint("tenant_id", "object_id"),
    )
    op.create_index(None, "users", ["tenant_id", "created_at", "id"])
    op.create_index(
        "uq_users_tenant_id_address", "users", ["tenant_id", sa.literal_column("lower(address)")], unique=True
    )


def _archive_configurations() -> None:
    op.create_table(
        "archive_configurations",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("name", TEXT, nullable=False),
        Column("source_reference", TEXT, nullable=False),
        Column("source_mailbox_id", UUID, nullable=False),
        Column("source_calendar_id", TEXT, nullable=False),
        Column("archive_reference", TEXT, nullable=False),
        Column("archive_mailbox_id", UUID, nullable=False),
        Column("archive_calendar_id", TEXT, nullable=False),
        Column("time_zone", TEXT, nullable=False),
        Column("purpose", TEXT, nullable=False),
        flag("is_default"),
        Column("active", FLAG, server_default=sa.text("true"), nullable=False),
        Column("archive_from", sa.Date(), nullable=False),
        Column("archived_until", TIME),
        Column("lookback_days", INTEGER, server_default=sa.text("7"), nullable=False),
        *versioned(),
        sa.CheckConstraint("purpose IN ('general', 'timesheet')", name="purpose"),
        sa.CheckConstraint(
            "(source_mailbox_id, source_calendar_id) <> (archive_mailbox_id, archive_calendar_id)",
            name="source_is_not_archive",
        ),
        sa.CheckConstraint("lookback_days BETWEEN 0 AND 60", name="lookback_days"),
        sa.UniqueConstraint("owner_id", "name"),
    )
    op.create_index(None, "archive_configurations", ["tenant_id", "created_at", "id"])
    op.create_index(
        "uq_archive_configurations_default",
        "archive_configurations",
        ["owner_id"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("schedule", JSONB, nullable=False),
        Column("time_zone", TEXT, nullable=False),
        Column("next_run_at", TIME),
        flag("paused"),
        Column("consecutive_failures", INTEGER, server_default=sa.text("0"), nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.UniqueConstraint("configuration_id"),
    )
    op.create_index(None, "jobs", ["next_run_at"], postgresql_where=sa.text("NOT paused"))
    op.create_index(None, "jobs", ["owner_id"])


def _archive_runs() -> None:
    op.create_table(
        "archive_runs",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("job_id", UUID, sa.ForeignKey("jobs.id")),
        Column("scheduled_for", TIME),
        Column("kind", TEXT, nullable=False),
        Column("mode", TEXT, nullable=False),
        Column("window_start", TIME, nullable=False),
        Column("window_end", TIME, nullable=False),
        Column("state", TEXT, nullable=False),
        flag("cancel_requested"),
        Column("requested_by", TEXT, nullable=False),
        Column("correlation_id", TEXT, nullable=False),
        Column("plan", JSONB),
        Column("planned_at", TIME),
        Column("report", JSONB),
        Column("graph_requests", BIGINT, server_default=sa.text("0"), nullable=False),
        Column("round_trips", BIGINT, server_default=sa.text("0"), nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("dispatched_at", TIME),
        Column("started_at", TIME),
        Column("finished_at", TIME),
        sa.CheckConstraint("kind IN ('retry', 'nightly', 'manual', 'backfill')", name="kind"),
        sa.CheckConstraint("mode IN ('normal', 'replace')", name="mode"),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'completed', 'completed_with_errors', 'cancelled')", name="state"
        ),
        sa.CheckConstraint("window_start < window_end", name="window"),
        sa.UniqueConstraint("job_id", "scheduled_for"),
    )
    op.create_index(None, "archive_runs", ["configuration_id", "created_at", "id"])
    op.create_index(None, "archive_runs", ["owner_id", "created_at", "id"])
    op.create_index(
        "uq_archive_runs_open_window",
        "archive_runs",
        ["configuration_id", "window_start", "window_end", "mode"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index(
        "uq_archive_runs_running",
        "archive_runs",
        ["configuration_id"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )


def _archived_events() -> None:
    op.create_table(
        "archived_events",
        Column("id", UUID, primary_key=True),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("source_key", TEXT, nullable=False),
        Column("archive_key", TEXT, nullable=False),
        Column("source_id", TEXT, nullable=False),
        Column("ical_uid", TEXT, nullable=False),
        Column("original_start", TIME, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("copy_id", TEXT),
        Column("copy_etag", TEXT),
        Column("generation", INTEGER, server_default=sa.text("0"), nullable=False),
        Column("revision", TEXT, server_default=sa.text("''"), nullable=False),
        Column("start_at", TIME, nullable=False),
        Column("merged_into", TEXT),
        Column("pending_since", TIME),
        *timestamps(),
        sa.CheckConstraint(
            "state IN ('creating', 'present', 'merged', 'removed_by_owner', 'source_deleted')", name="state"
        ),
        sa.CheckConstraint("generation >= 0", name="generation"),
        sa.UniqueConstraint("configuration_id", "source_key"),
    )
    op.create_index(None, "archived_events", ["configuration_id", "ical_uid"])
    op.create_index(None, "archived_events", ["configuration_id", "start_at"])
    op.create_index(None, "archived_events", ["owner_id"])
    op.create_index(
        "ix_archived_events_pending",
        "archived_events",
        ["configuration_id", "pending_since"],
        postgresql_where=sa.text("pending_since IS NOT NULL"),
    )


def _archive_operations() -> None:
    op.create_table(
        "archive_operations",
        Column("id", UUID, primary_key=True),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("run_id", UUID, sa.ForeignKey("archive_runs.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("archived_event_id", UUID, sa.ForeignKey("archived_events.id"), nullable=False),
        Column("position", BIGINT, nullable=False),
        Column("source_key", TEXT, nullable=False),
        Column("action", TEXT, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("payload", JSONB),
        Column("payload_bytes", INTEGER, server_default=sa.text("0"), nullable=False),
        Column("record", JSONB),
        Column("revision", TEXT, nullable=False),
        Column("previous_revision", TEXT, server_default=sa.text("''"), nullable=False),
        Column("if_match", TEXT),
        Column("first_sent_at", TIME),
        Column("last_sent_at", TIME),
        Column("finished_at", TIME),
        Column("error_code", TEXT),
        Column("error_detail", TEXT),
        sa.CheckConstraint("action IN ('create', 'update')", name="action"),
        sa.CheckConstraint(
            "state IN ('draft', 'planned', 'sent', 'done', 'failed', 'cancelled', 'conflict', 'locked')",
            name="state",
        ),
        sa.UniqueConstraint("run_id", "source_key"),
    )
    op.create_index(None, "archive_operations", ["archived_event_id"])
    op.create_index(None, "archive_operations", ["owner_id"])
    op.create_index(None, "archive_operations", ["run_id", "state", "position"])
    op.create_index(
        "uq_archive_operations_open",
        "archive_operations",
        ["configuration_id", "source_key"],
        unique=True,
        postgresql_where=sa.text("state IN ('planned', 'sent')"),
    )


def _appointments() -> None:
    op.create_table(
        "appointments",
        Column("id", UUID, primary_key=True),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("archived_event_id", UUID, sa.ForeignKey("archived_events.id"), nullable=False),
        Column("subject", TEXT, nullable=False),
        Column("body", TEXT, nullable=False),
        Column("body_type", TEXT, nullable=False),
        Column("start_at", TIME, nullable=False),
        Column("end_at", TIME, nullable=False),
        Column("start_zone", TEXT, nullable=False),
        Column("end_zone", TEXT, nullable=False),
        Column("is_all_day", FLAG, nullable=False),
        Column("location", TEXT, nullable=False),
        Column("categories", TEXTS, nullable=False),
        Column("show_as", TEXT, nullable=False),
        Column("importance", TEXT, nullable=False),
        Column("sensitivity", TEXT, nullable=False),
        Column("is_cancelled", FLAG, nullable=False),
        Column("is_declined", FLAG, nullable=False),
        Column("organizer", JSONB),
        Column("attendees", JSONB, nullable=False),
        Column("attachment_count", INTEGER, nullable=False),
        Column("ical_uid", TEXT, nullable=False),
        Column("source_deleted_at", TIME),
        Column("revision", TEXT, nullable=False),
        *timestamps(),
        sa.CheckConstraint("attachment_count >= 0", name="attachment_count"),
        sa.CheckConstraint("start_at <= end_at", name="interval"),
        sa.UniqueConstraint("archived_event_id"),
    )
    op.create_index(None, "appointments", ["configuration_id"])
    op.create_index(None, "appointments", ["owner_id", "start_at", "id"])


def _mailbox_gates() -> None:
    op.create_table(
        "mailbox_gates",
        Column("mailbox_id", UUID, primary_key=True),
        Column("holder", UUID),
        Column("fence", BIGINT, server_default=sa.text("0"), nullable=False),
        Column("lease_until", TIME),
        Column("not_before", TIME),
    )


def _audit_entries() -> None:
    op.create_table(
        "audit_entries",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("occurred_at", TIME, nullable=False),
        Column("actor", TEXT, nullable=False),
        Column("on_behalf_of", UUID),
        Column("action", TEXT, nullable=False),
        Column("resource_type", TEXT, nullable=False),
        Column("resource_id", TEXT, nullable=False),
        Column("outcome", TEXT, nullable=False),
        Column("correlation_id", TEXT, nullable=False),
        Column("parent_correlation_id", TEXT),
        Column("source_ip", TEXT),
        Column("changes", JSONB, nullable=False),
        sa.CheckConstraint("outcome IN ('success', 'failure')", name="outcome"),
    )
    op.create_index(None, "audit_entries", ["correlation_id"])
    op.create_index(None, "audit_entries", ["tenant_id", "occurred_at", "id"])
