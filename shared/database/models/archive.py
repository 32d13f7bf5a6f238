"""The map from source events to copies, and the record of what was archived."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, one_of
from shared.domain.archived_event import ArchivedEventState
from shared.domain.overlap_status import Exclusion
from shared.domain.purpose import LeftOut

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ArchivedEvent(Base):
    """The map from a source key to its one archived copy (domain.md 2.3); unique per configuration.

    ``archive_key`` is what the copy carries: fixed when the copy was created, whatever source key the
    row is re-pointed to later. ``merged_into`` names the representative's source key of a duplicate
    (domain.md 2.9), or the meeting of a consumed modification (4.6). ``pending_since`` is set while the last
    write of the row failed (2.2). ``modifications`` made the times of the copy. ``conflict_revision`` is
    the one that was not written because the owner had edited the copy. ``lost_at`` is set where the copy
    went with its calendar and is to be made anew from the record.
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
    left_out: Mapped[str | None]
    modifications: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    conflict_revision: Mapped[str | None]
    pending_since: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("configuration_id", "source_key"),
        Index("ix_archived_events_configuration_id_start_at", "configuration_id", "start_at"),
        Index("ix_archived_events_archive_key", "archive_key"),
        Index("ix_archived_events_configuration_id_ical_uid", "configuration_id", "ical_uid"),
        Index(
            "ix_archived_events_pending",
            "configuration_id",
            "pending_since",
            postgresql_where=text("pending_since IS NOT NULL"),
        ),
        Index(
            "ix_archived_events_lost",
            "configuration_id",
            "start_at",
            "id",
            postgresql_where=text("lost_at IS NOT NULL"),
        ),
        CheckConstraint(one_of("state", ArchivedEventState), name="state"),
        CheckConstraint(one_of("left_out", LeftOut), name="left_out"),
        CheckConstraint("generation >= 0", name="generation"),
    )


class Appointment(Base):
    """Our own record of an archived event, with organizer and attendees, which the copy omits (2.6).

    Times are those after ``modifications``; ``source_sensitivity`` and ``source_show_as`` are what they
    were before automation (domain.md 6.2). ``excluded`` says why it does not count as time; ``unresolved``
    came into the archive because its overlap expired (5.8).
    """

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
    modifications: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    source_sensitivity: Mapped[str | None]
    source_show_as: Mapped[str | None]
    excluded: Mapped[str | None]
    unresolved: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    revision: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("ix_appointments_owner_id_start_at_id", "owner_id", "start_at", "id"),
        CheckConstraint("start_at <= end_at", name="interval"),
        CheckConstraint("attachment_count >= 0", name="attachment_count"),
        CheckConstraint(one_of("excluded", Exclusion), name="excluded"),
    )

    @property
    def version(self) -> int:
        """What a change is meant for."""
        return appointment_version(self.updated_at)


def appointment_version(updated_at: datetime) -> int:
    """The version of an appointment last changed then: that microsecond."""
    return (updated_at - _EPOCH) // timedelta(microseconds=1)
