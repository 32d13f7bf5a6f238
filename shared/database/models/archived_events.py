"""The map from source events to their archived copies."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, one_of
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archived_event import ArchivedEventState


class ArchivedEvent(Base):
    """The map from a source key to its one archived copy (domain.md 2.3); unique per configuration.

    ``archive_key`` is what the copy carries: fixed when the copy was created, whatever source key the
    row is re-pointed to later. ``former_keys`` are the source keys that the row, or the copy it took over,
    had before; so the same event is known in another archive that still has one of them (2.18).
    ``merged_into`` names the representative's source key of a duplicate
    (domain.md 2.9), or the meeting of a consumed modification (4.6). ``pending_since`` is set while the last
    write of the row failed (2.2). ``modifications`` made the times of the copy. ``conflict_revision`` is
    the one that was not written because the owner had edited the copy. ``lost_at`` is set where the copy
    went with its calendar and is to be made anew from the record. ``series_id`` is the immutable id of an
    occurrence's series; ``entered_by`` the run that saw the event first. ``kept_categories`` are those that
    the copy had when its meeting was made anew: they stay while the new event has no valid one (2.16).
    ``superseding_since`` is set from the owner's word that another copy stands for the meeting until the
    copy says so; then the state does (2.16, 2.17).

    ``origin_mailbox_id`` is the object id of the person whose event it is (domain.md 6.3). A trigger takes it
    from the configuration when the row is made; it never changes.
    """

    __tablename__ = "archived_events"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue(), index=True)
    source_key: Mapped[str]
    archive_key: Mapped[str]
    source_id: Mapped[str]
    ical_uid: Mapped[str]
    original_start: Mapped[datetime]
    former_keys: Mapped[list[str]] = mapped_column(default=list, server_default=text("'{}'"))
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
    series_id: Mapped[str | None]
    entered_by: Mapped[uuid.UUID | None]
    kept_categories: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    superseding_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("configuration_id", "source_key"),
        Index("ix_archived_events_configuration_id_start_at", "configuration_id", "start_at"),
        Index("ix_archived_events_archive_key", "archive_key"),
        Index("ix_archived_events_configuration_id_ical_uid", "configuration_id", "ical_uid"),
        Index("ix_archived_events_configuration_id_source_id", "configuration_id", "source_id"),
        Index(
            "ix_archived_events_configuration_id_series_id",
            "configuration_id",
            "series_id",
            postgresql_where=text("series_id IS NOT NULL"),
        ),
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
        Index(
            "ix_archived_events_superseding",
            "configuration_id",
            "start_at",
            postgresql_where=text("superseding_since IS NOT NULL"),
        ),
        Index("ix_archived_events_former_keys", "owner_id", postgresql_where=text("former_keys <> '{}'")),
        CheckConstraint(one_of("state", ArchivedEventState), name="state"),
        CheckConstraint(one_of("left_out", LeftOut), name="left_out"),
        CheckConstraint("generation >= 0", name="generation"),
    )
