"""The map from source events to their archived copies."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Timestamped, one_of, partial_index
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archived_event import ArchivedEventState


class ArchivedEvent(Identified, Timestamped, Base):
    """The map from a source key to its one archived copy (domain.md 2.3). Unique per configuration."""

    __tablename__ = "archived_events"
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    #: The object id of the event's person (domain.md 6.3). A trigger copies it from the configuration. It
    #: never changes.
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue(), index=True)
    source_key: Mapped[str]
    #: The key that the copy carries. It stays the same when the row is re-pointed.
    archive_key: Mapped[str]
    source_id: Mapped[str]
    ical_uid: Mapped[str]
    original_start: Mapped[datetime]
    #: The source keys that the row had before, and those of a copy that it took over. Rows of other archives
    #: may still have one of them: by it both are known to be one event (2.18).
    former_keys: Mapped[list[str]] = mapped_column(default=list, server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(default=ArchivedEventState.CREATING)
    copy_id: Mapped[str | None]
    copy_etag: Mapped[str | None]
    generation: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    revision: Mapped[str] = mapped_column(default="", server_default=text("''"))
    start_at: Mapped[datetime]
    #: The source key of a duplicate's representative (domain.md 2.9), or of a consumed modification's meeting
    #: (4.6).
    merged_into: Mapped[str | None]
    left_out: Mapped[str | None]
    #: They made the times of the copy.
    modifications: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    #: The revision that was not written because the owner had edited the copy.
    conflict_revision: Mapped[str | None]
    #: Set while the row's last write failed (2.2).
    pending_since: Mapped[datetime | None]
    #: Set if the copy was lost with its calendar and must be created again.
    lost_at: Mapped[datetime | None]
    #: The immutable id of an occurrence's series.
    series_id: Mapped[str | None]
    #: The run that saw the event first.
    entered_by: Mapped[uuid.UUID | None]
    #: The copy's categories from before its meeting was created again. They stay while the new event has no
    #: valid one (2.16).
    kept_categories: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    #: Set from the owner's word until the copy is changed. Then the state says it (2.16, 2.17).
    superseding_since: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("configuration_id", "source_key"),
        Index("ix_archived_events_configuration_id_start_at", "configuration_id", "start_at"),
        Index("ix_archived_events_archive_key", "archive_key"),
        Index("ix_archived_events_configuration_id_ical_uid", "configuration_id", "ical_uid"),
        Index("ix_archived_events_configuration_id_source_id", "configuration_id", "source_id"),
        partial_index(
            "ix_archived_events_configuration_id_series_id",
            "configuration_id",
            "series_id",
            where="series_id IS NOT NULL",
        ),
        partial_index(
            "ix_archived_events_pending",
            "configuration_id",
            "pending_since",
            where="pending_since IS NOT NULL",
        ),
        partial_index(
            "ix_archived_events_lost", "configuration_id", "start_at", "id", where="lost_at IS NOT NULL"
        ),
        partial_index(
            "ix_archived_events_superseding",
            "configuration_id",
            "start_at",
            where="superseding_since IS NOT NULL",
        ),
        partial_index("ix_archived_events_former_keys", "owner_id", where="former_keys <> '{}'"),
        CheckConstraint(one_of("state", ArchivedEventState), name="state"),
        CheckConstraint(one_of("left_out", LeftOut), name="left_out"),
        CheckConstraint("generation >= 0", name="generation"),
    )
