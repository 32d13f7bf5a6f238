"""Mailboxes, calendars, events and the occurrences of series, as the simulator keeps them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from infra.local.graph_simulator.values import ids
from infra.local.graph_simulator.values.recurrence import Recurrence
from infra.local.graph_simulator.values.times import Span, build_span, require_zone, stamp_now, wall_instant
from infra.local.graph_simulator.values.zones import UTC_ZONE

type Json = dict[str, Any]


@dataclass(slots=True, eq=False)
class Stamp:
    """What every change of an item renews."""

    change_key: str = field(default_factory=ids.new_change_key)
    created: str = field(default_factory=stamp_now)
    modified: str = ""
    #: Seconds since 1970, for stale reads.
    created_at: float = field(default_factory=lambda: time.time())

    def __post_init__(self) -> None:
        self.modified = self.modified or self.created

    def renew(self) -> None:
        """A new change key and modification time."""
        self.change_key = ids.new_change_key()
        self.modified = stamp_now()

    @property
    def etag(self) -> str:
        """``W/"<changeKey>"`` (graph.md, Event)."""
        return f'W/"{self.change_key}"'


@dataclass(slots=True, eq=False)
class Override:
    """An exception of a series: the fields and times that differ from the master's."""

    fields: Json = field(default_factory=dict)
    span: Span | None = None
    extended: dict[str, str] = field(default_factory=dict)
    attachments: int | None = None
    stamp: Stamp = field(default_factory=Stamp)


class Item:
    """What Graph returns as one event: a single event, a series master, an occurrence or an exception."""

    __slots__ = ("rendered", "writing_until")

    span: Span
    rendered: Json | None
    #: Loop time until which a write of this item is in flight.
    writing_until: float

    def __init__(self) -> None:
        self.rendered = None
        self.writing_until = 0.0

    @property
    def master(self) -> "Event":
        """The event that is stored: the item itself, or its series master."""
        raise NotImplementedError

    @property
    def day(self) -> int | None:
        """Ordinal of the original date of an occurrence."""
        raise NotImplementedError

    @property
    def stamp(self) -> Stamp:
        """Change key and times of the item."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """Graph's ``type``."""
        raise NotImplementedError

    @property
    def fields(self) -> Json:
        """Properties other than times and ids."""
        raise NotImplementedError

    @property
    def extended(self) -> dict[str, str]:
        """Single-value extended properties by normalised id."""
        raise NotImplementedError

    @property
    def attachments(self) -> int:
        """How many attachments the item has."""
        raise NotImplementedError

    def id(self, *, immutable: bool) -> str:
        """The item's id in the asked form."""
        event = self.master
        move = None if immutable else event.move
        return ids.item_id(event.calendar.mailbox.part, event.key, move, self.day, event.generation)


class Event(Item):
    """A stored event: a single one, or a series master with its exceptions and cancelled dates."""

    __slots__ = (
        "_attachments",
        "_dates",
        "_extended",
        "_fields",
        "_occurrences",
        "_source",
        "_stamp",
        "calendar",
        "cancelled",
        "generation",
        "ical_uid",
        "key",
        "load_key",
        "move",
        "original_zones",
        "overrides",
        "recurrence",
        "span",
        "transaction_id",
    )

    def __init__(self, calendar: "Calendar", key: str, span: Span, fields: Json) -> None:
        super().__init__()
        self.calendar = calendar
        self.key = key
        self.move = ids.new_key()[:8]
        self.span = span
        self._fields = fields
        self._stamp = Stamp()
        self._extended: dict[str, str] = {}
        self._attachments = 0
        self.recurrence: Recurrence | None = None
        self.overrides: dict[int, Override] = {}
        self.cancelled: set[int] = set()
        #: How often the occurrences were given new ids.
        self.generation = 0
        self.transaction_id: str | None = None
        self.ical_uid = ""
        self.load_key = ""
        self.original_zones: tuple[str, str] | None = None
        self.forget()

    @property
    def master(self) -> "Event":
        return self

    @property
    def day(self) -> int | None:
        return None

    @property
    def stamp(self) -> Stamp:
        return self._stamp

    @stamp.setter
    def stamp(self, value: Stamp) -> None:
        self._stamp = value

    @property
    def kind(self) -> str:
        return "singleInstance" if self.recurrence is None else "seriesMaster"

    @property
    def fields(self) -> Json:
        return self._fields

    @property
    def extended(self) -> dict[str, str]:
        return self._extended

    @property
    def attachments(self) -> int:
        return self._attachments

    @attachments.setter
    def attachments(self, value: int) -> None:
        self._attachments = value

    @property
    def is_deleted(self) -> bool:
        """Whether the event lies in Deleted Items."""
        return self.calendar is self.calendar.mailbox.deleted_items

    def forget(self) -> None:
        """Drop what was computed from the event; call after every change of it."""
        self.rendered = None
        self._source: Iterator[date] | None = None
        self._dates: list[int] = []
        self._occurrences: dict[int, Occurrence] = {}

    def occurrence_span(self, day: int) -> Span:
        """Times of the occurrence of an original date, before any exception; wall-clock in its zone."""
        shift = timedelta(days=day - self.span.start.toordinal())
        span = self.span
        return build_span(
            span.start + shift,
            span.start_zone,
            require_zone(span.start_zone),
            span.end + shift,
            span.end_zone,
            require_zone(span.end_zone),
            all_day=span.all_day,
        )

    def original_start(self, day: int) -> datetime:
        """The instant at which a date's occurrence would start; all-day: midnight in the series' zone."""
        wall = self.span.start + timedelta(days=day - self.span.start.toordinal())
        return wall.replace(tzinfo=require_zone(self.span.start_zone)).astimezone(UTC)

    def has_date(self, day: int) -> bool:
        """Whether the pattern has an occurrence on the date and it was not cancelled."""
        if self.recurrence is None or day in self.cancelled:
            return False
        return day in self.dates_until(day)

    def dates_until(self, last_day: int) -> list[int]:
        """Ordinals of the pattern's dates up to at least a day, cancelled ones included."""
        if self.recurrence is None:
            return []
        if self._source is None:
            self._source = self.recurrence.dates()
        while not self._dates or self._dates[-1] <= last_day:
            following = next(self._source, None)
            if following is None:
                break
            self._dates.append(following.toordinal())
        return self._dates

    def occurrence(self, day: int) -> "Occurrence":
        """The occurrence of an original date, which must be one of the series."""
        found = self._occurrences.get(day)
        if found is None:
            found = self._occurrences[day] = Occurrence(self, day)
        return found

    def occurrences(self, until_us: int) -> Iterator["Occurrence"]:
        """Occurrences and exceptions that may start before an instant, unordered; no cancelled ones."""
        # A day's margin: wall-clock dates run ahead of UTC by up to 14 hours.
        last_day = date(1970, 1, 1).toordinal() + until_us // 86_400_000_000 + 1
        for day in self.dates_until(last_day):
            if day > last_day:
                break
            if day not in self.cancelled and day not in self.overrides:
                yield self.occurrence(day)
        for day in self.overrides:
            yield self.occurrence(day)


class Occurrence(Item):
    """One date of a series; an exception if the series has an override for it."""

    __slots__ = ("_day", "_master", "override", "span")

    def __init__(self, master: Event, day: int) -> None:
        super().__init__()
        self._master = master
        self._day = day
        self.override = master.overrides.get(day)
        changed = self.override.span if self.override else None
        self.span = changed or master.occurrence_span(day)

    @property
    def master(self) -> Event:
        return self._master

    @property
    def day(self) -> int | None:
        return self._day

    @property
    def original_day(self) -> int:
        """Ordinal of the original date."""
        return self._day

    @property
    def stamp(self) -> Stamp:
        return self.override.stamp if self.override else self._master.stamp

    @property
    def kind(self) -> str:
        return "exception" if self.override else "occurrence"

    @property
    def fields(self) -> Json:
        return {**self._master.fields, **self.override.fields} if self.override else self._master.fields

    @property
    def extended(self) -> dict[str, str]:
        return {**self._master.extended, **self.override.extended} if self.override else self._master.extended

    @property
    def attachments(self) -> int:
        own = self.override.attachments if self.override else None
        return self._master.attachments if own is None else own


@dataclass(slots=True, eq=False)
class Calendar:
    """A calendar of a mailbox with its events by key."""

    mailbox: "Mailbox"
    key: str
    name: str
    is_default: bool = False
    color: str = "auto"
    change_key: str = field(default_factory=ids.new_change_key)
    #: The owner's address, where another person shared the calendar into the mailbox.
    owner_address: str = ""
    events: dict[str, Event] = field(default_factory=dict)
    #: Fingerprints of what was loaded, so that loading again adds nothing, even after a deletion.
    loaded: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        """Graph's id."""
        return ids.calendar_id(self.mailbox.part, self.key)


@dataclass(slots=True, eq=False)
class Mailbox:
    """A user's mailbox; ``oid`` is the Entra object id."""

    oid: str
    address: str
    display_name: str
    time_zone: str = "UTC"
    #: Without a licence the mailbox answers 404 MailboxNotEnabledForRESTAPI.
    enabled: bool = True
    #: ``Member``, or ``Guest`` for a person of another organisation.
    user_type: str = "Member"
    #: Graph's ``userPurpose``: user, shared, room, equipment, …
    purpose: str = "user"
    calendars: dict[str, Calendar] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    #: transactionId -> (event key, seconds since 1970).
    transactions: dict[str, tuple[str, float]] = field(default_factory=dict)
    sent: list[Json] = field(default_factory=list)
    inbox: list[Json] = field(default_factory=list)
    categories: list[Json] = field(default_factory=list)
    part: str = ""

    #: The folder of deleted events, no calendar; empty unless the setting ``deleted_items`` fills it.
    deleted_items: Calendar = field(init=False)

    def __post_init__(self) -> None:
        self.part = ids.mailbox_part(self.oid)
        self.deleted_items = Calendar(self, "", "Deleted Items")

    @property
    def default_calendar(self) -> Calendar:
        """The primary calendar."""
        return next(calendar for calendar in self.calendars.values() if calendar.is_default)

    def midnight_us(self, wall: datetime) -> int:
        """The instant of an all-day boundary in the mailbox's own zone."""
        return wall_instant(wall, require_zone(self.time_zone) if self.time_zone else UTC_ZONE)
