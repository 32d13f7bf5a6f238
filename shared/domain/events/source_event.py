"""An event as read from a source calendar, and its identity."""

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

import msgspec

from shared.domain.events.event_content import EventContent
from shared.domain.times.zones import find_zone

_HALF_A_DAY = timedelta(hours=12)


class EventType(StrEnum):
    """The types of an event. Reading a window never returns a series master."""

    SINGLE_INSTANCE = "singleInstance"
    OCCURRENCE = "occurrence"
    EXCEPTION = "exception"
    SERIES_MASTER = "seriesMaster"


class Participant(msgspec.Struct, frozen=True, gc=False):
    """Organizer or attendee; kept in our record, never written to a copy (domain.md 2.6)."""

    name: str
    address: str
    kind: str = "required"
    response: str = "none"


class SourceEvent(EventContent, frozen=True, gc=False):
    """One single event, occurrence or exception."""

    id: str
    type: EventType
    ical_uid: str
    change_key: str
    series_master_id: str | None = None
    #: The slot of an occurrence in its series, UTC. None for a single event.
    original_start: datetime | None = None
    is_cancelled: bool = False
    is_declined: bool = False
    has_attachments: bool = False
    organizer: Participant | None = None
    attendees: tuple[Participant, ...] = ()
    #: Only the times are true (``disclosure.masked_event``).
    masked: bool = False
    #: The date of the slot in the zone of the series, if known (``occurrenceId``).
    original_date: date | None = None
    #: When the event or its series was entered. None if it is not known.
    entered_at: datetime | None = None
    #: The last change of an occurrence or of its series, UTC. None if unknown, and for a single event.
    changed_at: datetime | None = None


def source_key(event: SourceEvent) -> str:
    """The key that an event gets at first sight. Later, the key of its row counts (domain.md 2.3).

    Raises ValueError for a series master, and for an occurrence without its master or original start.
    """
    if event.type is EventType.SINGLE_INSTANCE:
        return f"s:{event.id}"
    return f"o:{event.series_master_id}:{occurrence_date(event).isoformat()}"


def former_source_key(event: SourceEvent) -> str | None:
    """The key that earlier versions gave to an occurrence. None for a single event."""
    if event.type is EventType.SINGLE_INSTANCE or event.original_start is None:
        return None
    return f"o:{event.series_master_id}:{event.original_start:%Y-%m-%dT%H:%M:%SZ}"


def second_source_key(event: SourceEvent, key: str) -> str:
    """The key of an event if another event of the same read has its first key (domain.md 2.3)."""
    return f"{key}:{event.original_start or event.start:%Y-%m-%dT%H:%M:%SZ}"


def detached_key(key: str, day: date, count: int = 0) -> str:
    """The key of a row whose source may have been used again at another time. Its copy stays (2.4)."""
    return f"{key}@{day.isoformat()}" + (f".{count}" if count else "")


def is_detached(key: str) -> bool:
    """Whether the source left this row behind. Event ids and our keys have no at sign."""
    return "@" in key


def occurrence_date(event: SourceEvent) -> date:
    """The original date of an occurrence in the recurrence zone of its series (domain.md 2.3).

    A calendar view has no recurrence zone, so the zone in which the event was entered is used. Raises
    ValueError for a series master, and for an occurrence without its master or original start.
    """
    if event.type is EventType.SERIES_MASTER or not event.series_master_id or event.original_start is None:
        raise ValueError(f"an event of type {event.type} without series master or original start has no key")
    if event.original_date is not None:
        return event.original_date
    if event.is_all_day and event.type is EventType.OCCURRENCE:
        return event.start.date()
    zone = find_zone(event.start_zone)
    local = event.original_start.astimezone(zone or UTC)
    if event.is_all_day and local.time() != time.min:
        # The slot is midnight in the mailbox's zone, given in UTC (2804, see graph.md).
        return (event.original_start + _HALF_A_DAY).date()
    return local.date()


# A new event's key is needed twice: for its map row and for its copy.
@lru_cache(maxsize=4096)
def archive_key(configuration_id: UUID, key: str) -> str:
    """``ArchiveKey`` of the copy of a source key: lower-case hex SHA-256 (domain.md 2.6)."""
    return hashlib.sha256(f"{configuration_id}|{key}".encode()).hexdigest()


def generation_key(configuration_id: UUID, key: str, generation: int) -> str:
    """``ArchiveKey`` for a source key from ``generation`` 1 on, if another event's copy carries its own.

    This happens if the copy went to another event of the same meeting, and the first event comes back (2.3,
    2.9).
    """
    return archive_key(configuration_id, f"{key}|{generation}" if generation else key)
