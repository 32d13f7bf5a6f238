"""Comparisons of source, record and archive; backfills; jobs of several kinds; progress of runs."""

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
    TIME,
    UUID,
    allow_values,
    timestamps,
)

revision = "0009"
down_revision = "0008"
branch_labels = depends_on = None

ZERO = sa.text("0")


def upgrade() -> None:
    """Add verifications and backfills, ``jobs.kind``, and the progress of runs."""
    _jobs()
    _runs()
    op.add_column("archive_configurations", Column("nightly_from", sa.Date()))
    op.create_index(None, "archived_events", ["archive_key"])
    _verifications()
    _findings()
    _items()
    _backfills()
    grants.grant_to_app_user(
        grants.READ_AND_WRITE, "verifications", "verification_findings", "verification_items", "backfills"
    )


def _jobs() -> None:
    op.add_column("jobs", Column("kind", TEXT, server_default=sa.text("'archive'"), nullable=False))
    op.create_check_constraint(op.f("ck_jobs_kind"), "jobs", "kind IN ('archive', 'backfill', 'verify')")
    op.drop_constraint(op.f("uq_jobs_configuration_id"), "jobs")
    op.create_unique_constraint(op.f("uq_jobs_configuration_id_kind"), "jobs", ["configuration_id", "kind"])


def _runs() -> None:
    op.add_column("archive_runs", Column("step", TEXT))
    op.add_column("archive_runs", Column("progress", INTEGER, server_default=ZERO, nullable=False))
    op.add_column("archive_runs", Column("writes_done", INTEGER, server_default=ZERO, nullable=False))
    op.execute("UPDATE archive_runs SET progress = 100, step = 'finished' WHERE finished_at IS NOT NULL")
    op.create_check_constraint(
        op.f("ck_archive_runs_step"),
        "archive_runs",
        "step IN ('settling', 'planning', 'applying', 'finishing', 'finished')",
    )
    op.create_check_constraint(op.f("ck_archive_runs_progress"), "archive_runs", "progress BETWEEN 0 AND 100")
    allow_values("archive_runs", "mode", ("normal", "replace", "put_back", "edit"))


def _verifications() -> None:
    op.create_table(
        "verifications",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("job_id", UUID, sa.ForeignKey("jobs.id")),
        Column("scheduled_for", TIME),
        *(Column(name, TIME, nullable=False) for name in ("window_start", "window_end", "compared_until")),
        Column("state", TEXT, nullable=False),
        Column("progress", INTEGER, server_default=ZERO, nullable=False),
        Column("attempt", INTEGER, server_default=ZERO, nullable=False),
        *(
            Column(name, BIGINT, server_default=ZERO, nullable=False)
            for name in ("source_events", "records", "copies")
        ),
        Column("counts", JSONB),
        Column("reason", TEXT),
        Column("requested_by", TEXT, nullable=False),
        Column("correlation_id", TEXT, nullable=False),
        *(
            Column(name, BIGINT, server_default=ZERO, nullable=False)
            for name in ("graph_requests", "round_trips")
        ),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        *(Column(name, TIME) for name in ("dispatched_at", "started_at", "finished_at")),
        sa.CheckConstraint("state IN ('queued', 'running', 'completed', 'failed')", name="state"),
        sa.CheckConstraint("window_start < window_end", name="window"),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        sa.UniqueConstraint("job_id", "scheduled_for"),
    )
    op.create_index(None, "verifications", ["owner_id"])
    op.create_index(
        "uq_verifications_open",
        "verifications",
        ["configuration_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index(None, "verifications", ["configuration_id", "created_at", "id"])


def _findings() -> None:
    table = "verification_findings"
    op.create_table(
        table,
        Column("id", UUID, primary_key=True),
        Column("verification_id", UUID, sa.ForeignKey("verifications.id"), nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("stretch", TIME, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("kind", "reason", "subject")),
        Column("archived_event_id", UUID, sa.ForeignKey("archived_events.id")),
        *(Column(name, TEXT) for name in ("source_key", "copy_id")),
        Column("starts_at", TIME, nullable=False),
        Column("detail", JSONB, server_default=sa.text("'{}'"), nullable=False),
        Column("state", TEXT, nullable=False),
        Column("run_id", UUID, sa.ForeignKey("archive_runs.id")),
        Column("found_at", TIME, nullable=False),
        Column("resolved_at", TIME),
        Column("resolved_by", TEXT),
        sa.CheckConstraint(
            "kind IN ('missing', 'doubled', 'edited', 'unknown', 'source_changed')", name="kind"
        ),
        sa.CheckConstraint(
            "reason IN ('copy_gone', 'not_archived', 'not_written', 'several_copies', 'content_differs', "
            "'copy_replaced', 'foreign', 'key_not_in_record', 'revision_differs', 'source_gone')",
            name="reason",
        ),
        sa.CheckConstraint("state IN ('open', 'putting_back', 'put_back', 'adopted')", name="state"),
        sa.UniqueConstraint("verification_id", "kind", "subject"),
    )
    for name in ("owner_id", "archived_event_id", "configuration_id"):
        op.create_index(None, table, [name])
    op.create_index(None, table, ["run_id"], postgresql_where=sa.text("run_id IS NOT NULL"))
    op.create_index(None, table, ["verification_id", "starts_at", "id"])


def _items() -> None:
    op.create_table(
        "verification_items",
        Column("verification_id", UUID, sa.ForeignKey("verifications.id"), nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("side", "key", "reference", "revision")),
        Column("starts_at", TIME, nullable=False),
        Column("owned", FLAG, nullable=False),
        sa.CheckConstraint("side IN ('source', 'copy')", name="side"),
        sa.PrimaryKeyConstraint("verification_id", "side", "key", "reference"),
    )


def _backfills() -> None:
    op.create_table(
        "backfills",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        *(Column(name, TIME, nullable=False) for name in ("range_start", "range_end", "done_until")),
        Column("state", TEXT, nullable=False),
        Column("run_id", UUID, sa.ForeignKey("archive_runs.id")),
        Column("reason", TEXT),
        Column("requested_by", TEXT, nullable=False),
        *timestamps(),
        Column("finished_at", TIME),
        sa.CheckConstraint("state IN ('active', 'completed')", name="state"),
        sa.CheckConstraint("range_start <= done_until", name="done_until"),
        sa.CheckConstraint("range_start <= range_end", name="range"),
        sa.UniqueConstraint("configuration_id"),
    )
    for name in ("owner_id", "run_id"):
        op.create_index(None, "backfills", [name])
