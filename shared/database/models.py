"""The tables. Times are ``timestamptz`` in UTC; enumerations are text with a CHECK."""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.domain.archive_run import OperationAction, OperationState, RunKind, RunMode, RunState
from shared.domain.archived_event import ArchivedEventState
from shared.domain.purpose import Purpose


def one_of(column: str, values: type[StrEnum]) -> str:
    """SQL of the CHECK that ``column`` holds one of the enumeration's values."""
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"


class Base(DeclarativeBase):
    """Declarative base with predictable constraint names and timestamptz for every datetime."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        date: Date,
        str: Text,
        bool: Boolean,
        uuid.UUID: UUID(as_uuid=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: ARRAY(Text),
    }


class User(Base):
    """A person whose mailbox we work on, identified by tenant and Entra object id (domain.md 1)."""

    __tablename__ = "users"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tenant_id: Mapped[uuid.UUID]
    object_id: Mapped[uuid.UUID]
    address: Mapped[str]
    display_name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("tenant_id", "object_id"),
        Index("uq_users_tenant_id_address", "tenant_id", text("lower(address)"), unique=True),
        Index("ix_users_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
    )


class ArchiveConfiguration(Base):
    """Source calendar, archive calendar, zone, purpose and schedule of one archive (domain.md 1).

    A deleted one stays for the sake of what it archived: runs, map and appointments refer to it.
    """

    __tablename__ = "archive_configurations"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    source_reference: Mapped[str]
    source_mailbox_id: Mapped[uuid.UUID]
    source_calendar_id: Mapped[str]
    archive_reference: Mapped[str]
    archive_mailbox_id: Mapped[uuid.UUID]
    archive_calendar_id: Mapped[str]
    time_zone: Mapped[str]
    purpose: Mapped[str] = mapped_column(default=Purpose.GENERAL)
    is_default: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    archive_from: Mapped[date]
    archived_until: Mapped[datetime | None]
    lookback_days: Mapped[int] = mapped_column(Integer, default=7, server_default=text("7"))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_archive_configurations_owner_id_name",
            "owner_id",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "uq_archive_configurations_default",
            "owner_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
        Index("ix_archive_configurations_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        CheckConstraint(one_of("purpose", Purpose), name="purpose"),
        CheckConstraint("lookback_days BETWEEN 0 AND 60", name="lookback_days"),
        CheckConstraint(
            "(source_mailbox_id, source_calendar_id) <> (archive_mailbox_id, archive_calendar_id)",
            name="source_is_not_archive",
        ),
    )


class Job(Base):
    """A schedule: what runs when, in its own zone (domain.md 8.1)."""

    __tablename__ = "jobs"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"), unique=True)
    schedule: Mapped[dict[str, Any]]
    time_zone: Mapped[str]
    next_run_at: Mapped[datetime | None]
    paused: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    consecutive_failures: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (Index("ix_jobs_next_run_at", "next_run_at", postgresql_where=text("NOT paused")),)


class ArchiveRun(Base):
    """One execution for one configuration and one window ``[window_start, window_end)``."""

    __tablename__ = "archive_runs"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
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
    report: Mapped[dict[str, Any] | None]
    graph_requests: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    round_trips: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("job_id", "scheduled_for"),
        Index(
            "uq_archive_runs_running",
            "configuration_id",
            unique=True,
            postgresql_where=text("state = 'running'"),
        ),
        Index(
            "uq_archive_runs_open_window",
            "configuration_id",
            "window_start",
            "window_end",
            "mode",
            unique=True,
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_archive_runs_configuration_id_created_at_id", "configuration_id", "created_at", "id"),
        Index("ix_archive_runs_owner_id_created_at_id", "owner_id", "created_at", "id"),
        CheckConstraint(one_of("kind", RunKind), name="kind"),
        CheckConstraint(one_of("mode", RunMode), name="mode"),
        CheckConstraint(one_of("state", RunState), name="state"),
        CheckConstraint("window_start < window_end", name="window"),
    )


class ArchivedEvent(Base):
    """The map from a source key to its one archived copy (domain.md 2.3); unique per configuration.

    ``archive_key`` is what the copy carries: fixed when the copy was created, whatever source key the
    row is re-pointed to later. ``merged_into`` names the representative's source key of a duplicate
    (domain.md 2.9). ``pending_since`` is set while the last write of the row failed (2.2).
    """

    __tablename__ = "archived_events"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    source_key: Mapped[str]
    archive_key: Mapped[str]
    source_id: Mapped[str]
    ical_uid: Mapped[str]
    original_start: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=ArchivedEventState.CREATING)
    copy_id: Mapped[str | None]
    copy_etag: Mapped[str | None]
    generation: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    revision: Mapped[str] = mapped_column(default="", server_default=text("''"))
    start_at: Mapped[datetime]
    merged_into: Mapped[str | None]
    pending_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("configuration_id", "source_key"),
        Index("ix_archived_events_configuration_id_start_at", "configuration_id", "start_at"),
        Index("ix_archived_events_configuration_id_ical_uid", "configuration_id", "ical_uid"),
        Index(
            "ix_archived_events_pending",
            "configuration_id",
            "pending_since",
            postgresql_where=text("pending_since IS NOT NULL"),
        ),
        CheckConstraint(one_of("state", ArchivedEventState), name="state"),
        CheckConstraint("generation >= 0", name="generation"),
    )


class ArchiveOperation(Base):
    """One write to the archive calendar. ``payload`` is the exact request body, emptied when terminal."""

    __tablename__ = "archive_operations"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_runs.id"))
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    archived_event_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archived_events.id"), index=True)
    position: Mapped[int] = mapped_column(BigInteger)
    source_key: Mapped[str]
    action: Mapped[str]
    state: Mapped[str] = mapped_column(default=OperationState.DRAFT)
    payload: Mapped[dict[str, Any] | None]
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
        Index(
            "uq_archive_operations_open",
            "configuration_id",
            "source_key",
            unique=True,
            postgresql_where=text("state IN ('planned', 'sent')"),
        ),
        Index("ix_archive_operations_run_id_state_position", "run_id", "state", "position"),
        CheckConstraint(one_of("action", OperationAction), name="action"),
        CheckConstraint(one_of("state", OperationState), name="state"),
    )


class Appointment(Base):
    """Our own record of an archived event, with organizer and attendees, which the copy omits (2.6)."""

    __tablename__ = "appointments"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"), index=True)
    archived_event_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archived_events.id"), unique=True)
    subject: Mapped[str]
    body: Mapped[str]
    body_type: Mapped[str]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    start_zone: Mapped[str]
    end_zone: Mapped[str]
    is_all_day: Mapped[bool]
    location: Mapped[str]
    categories: Mapped[list[str]]
    show_as: Mapped[str]
    importance: Mapped[str]
    sensitivity: Mapped[str]
    is_cancelled: Mapped[bool]
    is_declined: Mapped[bool]
    organizer: Mapped[dict[str, Any] | None]
    attendees: Mapped[list[Any]]
    attachment_count: Mapped[int] = mapped_column(Integer)
    ical_uid: Mapped[str]
    source_deleted_at: Mapped[datetime | None]
    revision: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("ix_appointments_owner_id_start_at_id", "owner_id", "start_at", "id"),
        CheckConstraint("start_at <= end_at", name="interval"),
        CheckConstraint("attachment_count >= 0", name="attachment_count"),
    )


class MailboxGate(Base):
    """Who may write to a mailbox until when, and from when on Graph wants to hear from us again."""

    __tablename__ = "mailbox_gates"
    mailbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    holder: Mapped[uuid.UUID | None]
    fence: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]


class AuditEntry(Base):
    """One state change by anyone; append-only (domain.md 7.1)."""

    __tablename__ = "audit_entries"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tenant_id: Mapped[uuid.UUID]
    occurred_at: Mapped[datetime]
    actor: Mapped[str]
    on_behalf_of: Mapped[uuid.UUID | None]
    action: Mapped[str]
    resource_type: Mapped[str]
    resource_id: Mapped[str]
    outcome: Mapped[str]
    correlation_id: Mapped[str]
    parent_correlation_id: Mapped[str | None]
    source_ip: Mapped[str | None]
    changes: Mapped[dict[str, Any]]
    __table_args__ = (
        Index("ix_audit_entries_tenant_id_occurred_at_id", "tenant_id", "occurred_at", "id"),
        Index("ix_audit_entries_on_behalf_of_occurred_at_id", "on_behalf_of", "occurred_at", "id"),
        Index("ix_audit_entries_resource_id_occurred_at_id", "resource_id", "occurred_at", "id"),
        Index("ix_audit_entries_correlation_id", "correlation_id"),
        CheckConstraint("outcome IN ('success', 'failure')", name="outcome"),
    )


class IdempotencyKey(Base):
    """The answer to a change that its caller may repeat; inserted before the change, in its transaction.

    Without ``status`` the change is under way, which nobody else sees. ``owner_id`` is whose data the answer
    is about: it goes with the person.
    """

    __tablename__ = "idempotency_keys"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tenant_id: Mapped[uuid.UUID]
    caller: Mapped[str]
    operation: Mapped[str]
    key: Mapped[str]
    request_hash: Mapped[bytes]
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("tenant_id", "caller", "operation", "key"),
        Index("ix_idempotency_keys_created_at", "created_at"),
        CheckConstraint("octet_length(body) <= 65536", name="body"),
    )


class AuditSeal(Base):
    """One position of a tenant's chain of audit rows; append-only (domain.md 7.1).

    No foreign key: a row that was deleted is for the verification to find.
    """

    __tablename__ = "audit_seals"
    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    audit_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    previous_hash: Mapped[str]
    hash: Mapped[str]
    __table_args__ = (CheckConstraint("position >= 1", name="position"),)
