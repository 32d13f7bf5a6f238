"""Calendars kept in our own database, and their events (domain.md 1, ``local://``)."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base
from shared.database.models.event_columns import EventColumns

_SHOW_AS = "'free', 'tentative', 'busy', 'oof', 'workingElsewhere', 'unknown'"


class LocalCalendar(Base):
    """A calendar of a person's mailbox that Graph knows nothing of; ``mailbox_id`` is an object id.

    ``name_key`` is the name as it is compared (``domain.local_calendar.name_key``).
    """

    __tablename__ = "local_calendars"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    mailbox_id: Mapped[uuid.UUID]
    name: Mapped[str]
    name_key: Mapped[str]
    version: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("owner_id", "name_key"),
        Index("ix_local_calendars_tenant_id_mailbox_id", "tenant_id", "mailbox_id"),
    )


class LocalEvent(EventColumns, Base):
    """One single event of a local calendar. Of an all-day event the times are its dates' midnights in UTC.

    ``transaction_id`` makes a repeated creation harmless for ever (graph.md, transactionId); the three
    ``archive_`` columns are the extended properties of a copy (domain.md 2.6). ``origin_mailbox_id`` is the
    object id of the person whose event it is: of a copy that of its source (6.3), filled by a trigger.
    """

    __tablename__ = "local_events"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    calendar_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("local_calendars.id", ondelete="CASCADE"))
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue(), index=True)
    transaction_id: Mapped[str | None]
    archive_key: Mapped[str | None]
    archive_revision: Mapped[str | None]
    archive_source: Mapped[str | None]
    version: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("calendar_id", "transaction_id"),
        Index("ix_local_events_calendar_id_start_at_id", "calendar_id", "start_at", "id"),
        Index(
            "ix_local_events_calendar_id_archive_key",
            "calendar_id",
            "archive_key",
            postgresql_where=text("archive_key IS NOT NULL"),
        ),
        CheckConstraint("start_at <= end_at", name="interval"),
        CheckConstraint("body_type IN ('text', 'html')", name="body_type"),
        CheckConstraint(f"show_as IN ({_SHOW_AS})", name="show_as"),
        CheckConstraint("importance IN ('low', 'normal', 'high')", name="importance"),
        CheckConstraint(
            "sensitivity IN ('normal', 'personal', 'private', 'confidential')", name="sensitivity"
        ),
    )
