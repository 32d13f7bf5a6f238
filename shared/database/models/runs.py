"""Archive runs and their writes."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    FetchedValue,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Driven, Identified, one_of, partial_index
from shared.domain.runs.archive_run import OperationAction, OperationState, RunKind, RunMode, RunState
from shared.domain.runs.run_progress import RunStep


class ArchiveRun(Driven, Base):
    """One execution for one configuration and one window ``[window_start, window_end)``."""

    __tablename__ = "archive_runs"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    job_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("jobs.id"))
    scheduled_for: Mapped[datetime | None]
    kind: Mapped[str]
    mode: Mapped[str] = mapped_column(default=RunMode.NORMAL)
    window_start: Mapped[datetime]
    window_end: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=RunState.QUEUED)
    cancel_requested: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    requested_by: Mapped[str]
    correlation_id: Mapped[str]
    plan: Mapped[dict[str, Any] | None]
    planned_at: Mapped[datetime | None]
    plan_attempt: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    step: Mapped[str | None]
    progress: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    writes_done: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    report: Mapped[dict[str, Any] | None]
    graph_requests: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    round_trips: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("job_id", "scheduled_for"),
        partial_index("uq_archive_runs_running", "configuration_id", where="state = 'running'", unique=True),
        partial_index(
            "uq_archive_runs_open_window",
            "configuration_id",
            "window_start",
            "window_end",
            "mode",
            where="state IN ('queued', 'running')",
            unique=True,
        ),
        Index("ix_archive_runs_configuration_id_created_at_id", "configuration_id", "created_at", "id"),
        Index("ix_archive_runs_owner_id_created_at_id", "owner_id", "created_at", "id"),
        Index("ix_archive_runs_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        partial_index(
            "ix_archive_runs_unread",
            "configuration_id",
            "planned_at",
            where="CAST(plan ->> 'unreadable' AS integer) > 0",
        ),
        partial_index(
            "ix_archive_runs_trouble",
            "tenant_id",
            "finished_at",
            where="state IN ('failed', 'completed_with_errors')",
        ),
        CheckConstraint(one_of("kind", RunKind), name="kind"),
        CheckConstraint(one_of("mode", RunMode), name="mode"),
        CheckConstraint(one_of("state", RunState), name="state"),
        CheckConstraint("window_start < window_end", name="window"),
        CheckConstraint(one_of("step", RunStep), name="step"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
    )


class ArchiveOperation(Identified, Base):
    """One write to the archive calendar."""

    __tablename__ = "archive_operations"
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_runs.id"))
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    archived_event_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archived_events.id"), index=True)
    #: The event's person, set by a trigger. So is ``is_private`` (6.3).
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue())
    is_private: Mapped[bool] = mapped_column(FetchedValue(), default=False, server_default=text("false"))
    position: Mapped[int] = mapped_column(BigInteger)
    source_key: Mapped[str]
    action: Mapped[str]
    #: Updates a meeting of another window (domain.md 4.8). It is no event of the run.
    margin: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    state: Mapped[str] = mapped_column(default=OperationState.DRAFT)
    #: The exact request body. Emptied in a final state.
    payload: Mapped[dict[str, Any] | None]
    #: The length of the body without spaces between its parts.
    payload_bytes: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    record: Mapped[dict[str, Any] | None]
    revision: Mapped[str]
    previous_revision: Mapped[str] = mapped_column(default="", server_default=text("''"))
    if_match: Mapped[str | None]
    first_sent_at: Mapped[datetime | None]
    last_sent_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("run_id", "source_key"),
        partial_index(
            "uq_archive_operations_open",
            "configuration_id",
            "source_key",
            where="state IN ('planned', 'sent')",
            unique=True,
        ),
        Index("ix_archive_operations_run_id_state_position", "run_id", "state", "position"),
        CheckConstraint(one_of("action", OperationAction), name="action"),
        CheckConstraint(one_of("state", OperationState), name="state"),
    )


class MailboxGate(Base):
    """Who may write to a mailbox and until when, and when Graph accepts requests again."""

    __tablename__ = "mailbox_gates"
    mailbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    holder: Mapped[uuid.UUID | None]
    fence: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
