"""Comparisons of source, record and archive calendar; backfills (domain.md 2.14, 2.15)."""

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

from shared.database.models.base import Base, Driven, Identified, Timestamped, one_of, partial_index
from shared.domain.backfilling.backfill import BackfillState
from shared.domain.verifying.verification import FindingKind, FindingReason, FindingState, VerificationState


class Verification(Driven, Base):
    """One comparison of one configuration over ``[window_start, window_end)``."""

    __tablename__ = "verifications"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    job_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("jobs.id"))
    scheduled_for: Mapped[datetime | None]
    window_start: Mapped[datetime]
    window_end: Mapped[datetime]
    #: How far it is.
    compared_until: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=VerificationState.QUEUED)
    progress: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    #: The present attempt. Earlier ones write nothing more.
    attempt: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    source_events: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    records: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    copies: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    #: By kind of finding.
    counts: Mapped[dict[str, Any] | None]
    #: Why the numbers of records, copies and source events differ.
    explained: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    requested_by: Mapped[str]
    correlation_id: Mapped[str]
    graph_requests: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    round_trips: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("job_id", "scheduled_for"),
        partial_index(
            "uq_verifications_open", "configuration_id", where="state IN ('queued', 'running')", unique=True
        ),
        Index("ix_verifications_configuration_id_created_at_id", "configuration_id", "created_at", "id"),
        CheckConstraint(one_of("state", VerificationState), name="state"),
        CheckConstraint("window_start < window_end", name="window"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
    )


class VerificationFinding(Identified, Base):
    """One difference. It holds no content of the source or the copy."""

    __tablename__ = "verification_findings"
    verification_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("verifications.id"))
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue())
    stretch: Mapped[datetime]
    kind: Mapped[str]
    reason: Mapped[str]
    #: What it is about, so that comparing a range again adds nothing.
    subject: Mapped[str]
    archived_event_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("archived_events.id"))
    source_key: Mapped[str | None]
    copy_id: Mapped[str | None]
    starts_at: Mapped[datetime]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(default=FindingState.OPEN)
    run_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("archive_runs.id"))
    found_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("verification_id", "kind", "subject"),
        Index("ix_verification_findings_verification_id_starts_at_id", "verification_id", "starts_at", "id"),
        Index("ix_verification_findings_archived_event_id", "archived_event_id"),
        Index("ix_verification_findings_configuration_id", "configuration_id"),
        partial_index("ix_verification_findings_run_id", "run_id", where="run_id IS NOT NULL"),
        CheckConstraint(one_of("kind", FindingKind), name="kind"),
        CheckConstraint(one_of("reason", FindingReason), name="reason"),
        CheckConstraint(one_of("state", FindingState), name="state"),
    )


class VerificationItem(Base):
    """One event or copy that was read in the current range. Deleted when the range is done."""

    __tablename__ = "verification_items"
    verification_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("verifications.id"), primary_key=True)
    side: Mapped[str] = mapped_column(primary_key=True)
    #: A source key, an ArchiveKey, or (``origin``) what copies of one event share.
    key: Mapped[str] = mapped_column(primary_key=True)
    #: The event's id.
    reference: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str]
    starts_at: Mapped[datetime]
    #: It starts in the range.
    owned: Mapped[bool]
    __table_args__ = (CheckConstraint("side IN ('source', 'copy', 'origin')", name="side"),)


class Backfill(Identified, Timestamped, Base):
    """The months ``[range_start, range_end)`` of a configuration to archive one by one (domain.md 2.14).

    Its job stores whether it is paused, when it continues and how often it failed.
    """

    __tablename__ = "backfills"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"), unique=True)
    range_start: Mapped[datetime]
    range_end: Mapped[datetime]
    #: Everything before it is done.
    done_until: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=BackfillState.ACTIVE)
    #: The run of the current month.
    run_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("archive_runs.id"), index=True)
    reason: Mapped[str | None]
    requested_by: Mapped[str]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(one_of("state", BackfillState), name="state"),
        CheckConstraint("range_start <= done_until", name="done_until"),
        CheckConstraint("range_start <= range_end", name="range"),
    )
