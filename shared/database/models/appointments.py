"""The record of what was archived."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    FetchedValue,
    ForeignKey,
    Index,
    Integer,
    and_,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Timestamped, one_of
from shared.database.models.event_columns import EventColumns
from shared.domain.appointments.version import appointment_version
from shared.domain.overlaps.status import Exclusion


class Appointment(Identified, Timestamped, EventColumns, Base):
    """Our record of an archived event, with organizer and attendees, which the copy omits (2.6).

    ``start_at`` and ``end_at`` are the times after ``modifications``.
    """

    __tablename__ = "appointments"
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"), index=True)
    archived_event_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archived_events.id"), unique=True)
    #: See ``ArchivedEvent``.
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue(), index=True)
    is_cancelled: Mapped[bool]
    is_declined: Mapped[bool]
    organizer: Mapped[dict[str, Any] | None]
    attendees: Mapped[list[Any]]
    attachment_count: Mapped[int] = mapped_column(Integer)
    ical_uid: Mapped[str]
    source_deleted_at: Mapped[datetime | None]
    modifications: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    #: ``source_sensitivity`` and ``source_show_as`` are the values before automation (domain.md 6.2).
    source_sensitivity: Mapped[str | None]
    source_show_as: Mapped[str | None]
    #: What the source said when it was archived. Its subject is kept only if the owner edits the copy.
    source_start_at: Mapped[datetime | None]
    source_end_at: Mapped[datetime | None]
    source_type: Mapped[str | None]
    source_subject: Mapped[str | None]
    #: Why it does not count as time.
    excluded: Mapped[str | None]
    #: It was archived because its overlap expired (5.8).
    unresolved: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    revision: Mapped[str]
    __table_args__ = (
        Index("ix_appointments_owner_id_start_at_id", "owner_id", "start_at", "id"),
        CheckConstraint("start_at <= end_at", name="interval"),
        CheckConstraint("attachment_count >= 0", name="attachment_count"),
        CheckConstraint(one_of("excluded", Exclusion), name="excluded"),
    )

    @property
    def version(self) -> int:
        """The version for optimistic locking."""
        return appointment_version(self.updated_at)


def intersects(start: Any, end: Any) -> Iterator[ColumnElement[bool]]:
    """The condition that a row touches ``[start, end)`` (instants, or parameters for them)."""
    columns = Appointment.__table__.c
    yield columns.start_at < end
    yield or_(columns.end_at > start, and_(columns.start_at == columns.end_at, columns.start_at >= start))
