"""Calendars in our own database, and their events (domain.md 1, ``local://``)."""

import uuid

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, partial_index
from shared.database.models.event_columns import EventColumns

_SHOW_AS = "'free', 'tentative', 'busy', 'oof', 'workingElsewhere', 'unknown'"


class LocalCalendar(Identified, Versioned, Base):
    """A calendar of a person that is not at Graph. ``mailbox_id`` is an object id.

    ``name_key`` is the name for comparison (``domain.local_calendar.name_key``).
    """

    __tablename__ = "local_calendars"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    mailbox_id: Mapped[uuid.UUID]
    name: Mapped[str]
    name_key: Mapped[str]
    __table_args__ = (
        UniqueConstraint("owner_id", "name_key"),
        Index("ix_local_calendars_tenant_id_mailbox_id", "tenant_id", "mailbox_id"),
    )


class LocalEvent(Identified, Versioned, EventColumns, Base):
    """One single event of a local calendar. The times of an all-day event are its dates' midnights in UTC."""

    __tablename__ = "local_events"
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    calendar_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("local_calendars.id", ondelete="CASCADE"))
    #: The object id of the event's person. A trigger sets it; for a copy, from its source (6.3).
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue(), index=True)
    #: Makes a repeated create harmless at any time (graph.md, transactionId).
    transaction_id: Mapped[str | None]
    #: The three ``archive_`` columns are the extended properties of a copy (domain.md 2.6).
    archive_key: Mapped[str | None]
    archive_revision: Mapped[str | None]
    archive_source: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("calendar_id", "transaction_id"),
        Index("ix_local_events_calendar_id_start_at_id", "calendar_id", "start_at", "id"),
        partial_index(
            "ix_local_events_calendar_id_archive_key",
            "calendar_id",
            "archive_key",
            where="archive_key IS NOT NULL",
        ),
        # The events that a person entered are counted before each new one (domain.md 6.6).
        partial_index("ix_local_events_owner_id_entered", "owner_id", where="archive_key IS NULL"),
        CheckConstraint("start_at <= end_at", name="interval"),
        CheckConstraint("body_type IN ('text', 'html')", name="body_type"),
        CheckConstraint(f"show_as IN ({_SHOW_AS})", name="show_as"),
        CheckConstraint("importance IN ('low', 'normal', 'high')", name="importance"),
        CheckConstraint(
            "sensitivity IN ('normal', 'personal', 'private', 'confidential')", name="sensitivity"
        ),
    )
