"""Groups of overlapping events, and what was decided about them (domain.md 5)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, Integer, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, one_of, partial_index
from shared.domain.overlaps.rules import Verdict
from shared.domain.overlaps.status import OverlapStatus


class OverlapGroup(Identified, Versioned, Base):
    """A connected component of overlapping events. If flagged, it is the action item (domain.md 5.2, 5.6)."""

    __tablename__ = "overlap_groups"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    status: Mapped[str]
    #: That of the component in the last plan.
    member_count: Mapped[int] = mapped_column(Integer)
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str | None]
    #: Since when its decision waits for a run.
    archive_due_at: Mapped[datetime | None]
    #: When the next reminder is due while it is flagged (5.8).
    remind_at: Mapped[datetime | None]
    reminders_sent: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    #: What rules and people did.
    log: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    #: What its owner decided.
    resolution: Mapped[dict[str, Any] | None]
    #: The resolution before it was reopened (5.9).
    proposal: Mapped[dict[str, Any] | None]
    merged_into: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("overlap_groups.id"), index=True)
    __table_args__ = (
        Index("ix_overlap_groups_owner_id_opened_at_id", "owner_id", "opened_at", "id"),
        Index("ix_overlap_groups_configuration_id_status", "configuration_id", "status"),
        partial_index("ix_overlap_groups_expires_at", "expires_at", where="status = 'flagged'"),
        partial_index(
            "ix_overlap_groups_archive_due_at", "archive_due_at", where="archive_due_at IS NOT NULL"
        ),
        partial_index("ix_overlap_groups_remind_at", "remind_at", where="status = 'flagged'"),
        CheckConstraint("reminders_sent BETWEEN 0 AND 3", name="reminders_sent"),
        CheckConstraint(one_of("status", OverlapStatus), name="status"),
        CheckConstraint("start_at <= end_at", name="interval"),
        CheckConstraint("(status = 'merged') = (merged_into IS NOT NULL)", name="merged_into"),
    )


class OverlapMember(Base):
    """An event of a group with its times and revision there, after modifications."""

    __tablename__ = "overlap_members"
    group_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("overlap_groups.id", ondelete="CASCADE"), primary_key=True
    )
    source_key: Mapped[str] = mapped_column(primary_key=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue())
    revision: Mapped[str]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    #: What the plan did.
    verdict: Mapped[str]
    #: What its owner, or the expiry, decided.
    kept: Mapped[bool | None]
    #: It overlaps the others no more.
    departed: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: The future appointment of a flagged event, so that it can be archived after its source is gone.
    record: Mapped[dict[str, Any] | None]
    __table_args__ = (
        Index("ix_overlap_members_configuration_id_source_key", "configuration_id", "source_key"),
        partial_index("ix_overlap_members_departed", "configuration_id", where="departed"),
        partial_index("ix_overlap_members_recorded", "configuration_id", where="record IS NOT NULL"),
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
    )
