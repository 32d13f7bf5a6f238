"""A person's mailbox: what is in it, and what the person does to it at random moments."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from infra.local.graph_simulator.errors import GraphError, LoadError
from infra.local.graph_simulator.event_fields import read_event
from infra.local.graph_simulator.model import Calendar, Event, Item, Occurrence
from infra.local.graph_simulator.rendering import raw_json
from infra.local.graph_simulator.zones import find_zone
from tests.simulation.graph_world import GraphWorld

type Json = dict[str, Any]
type Keyed = dict[str, Json]

_COPIED = ("subject", "body", "isAllDay", "showAs", "categories", "sensitivity", "importance")
_ZONES = ("UTC", "Europe/Berlin", "Pacific Standard Time", "America/New_York", "Asia/Tokyo")
_WORDS = ("Review", "Lunch", "Acme", "Travel", "Planning", "日本語", "Ünïcode", "Extended", "1:1")
_CATEGORIES = (
    *("Acme - billable", "Beta - non-billable", "Online", "Break - non-billable", "Acme - billable"),
    *("acme - non-billable", "Billable - Beta", "Smith - Jones - billable", "Acme", "Acme - perhaps"),
)
_ENTRIES = ("Extended", "Extension", "Shortened", "Shortened, at last", "Early start", "Started late")
_COPIED = (
    *("subject", "body", "start", "end", "isAllDay"),
    *("showAs", "categories", "sensitivity", "importance"),
)
_FAR = 10**17
DAYS = 10


class Person:
    """The owner of the mailbox; every change goes into ``history``."""

    def __init__(self, rng: random.Random, graph: GraphWorld, oid: UUID, first_day: datetime) -> None:
        self._rng = rng
        self._graph = graph
        self._first = first_day
        self._number = 0
        zone = rng.choice(("UTC", "Europe/Berlin", "America/New_York"))
        graph.loader.load_mailbox(
            {
                "address": "ada@example.test",
                "oid": str(oid),
                "display_name": "Ada",
                "time_zone": zone,
                "calendars": [
                    {"name": "Calendar", "is_default": True},
                    {"name": "Archive"},
                    {"name": "Other"},
                ],
            }
        )
        self.mailbox = graph.state.mailbox(str(oid))
        self._by_name = {calendar.name: calendar for calendar in self.mailbox.calendars.values()}
        #: Every version a source key ever had in the source calendar or elsewhere in the mailbox.
        self.history: dict[str, list[Json]] = {}
        #: Archive keys of copies the person edited or deleted: nobody writes to those against their will.
        self.touched: set[str] = set()
        self.log: list[str] = []

    @property
    def source(self) -> Calendar:
        """The calendar that is archived."""
        return self._by_name["Calendar"]

    @property
    def archive(self) -> Calendar:
        """The calendar of the mailbox that is there for copies."""
        return self._by_name["Archive"]

    @property
    def other(self) -> Calendar:
        """A calendar that is not archived."""
        return self._by_name["Other"]

    def instances(self, *calendars: Calendar) -> list[Json]:
        """Single events, occurrences and exceptions of calendars, in full."""
        events = [event for calendar in calendars for event in calendar.events.values()]
        return [raw_json(item) for item in self._graph.service.resources.instances_in(events, -_FAR, _FAR)]

    def remember(self) -> None:
        """Add what the mailbox holds now to the history."""
        for item in self.instances(self.source, self.other):
            versions = self.history.setdefault(key_of(item), [])
            if not versions or versions[-1] != item:
                versions.append(item)

    def populate(self, count: int) -> None:
        """The first events."""
        for _ in range(count):
            self._create()
        self.remember()

    async def act(self, touch_copy: Callable[[], Awaitable[None]]) -> None:
        """Do one thing to the mailbox, or to some copy by ``touch_copy``, wherever that is."""
        actions: tuple[tuple[Callable[[], Awaitable[None] | None], int], ...] = (
            (self._create, 4),
            (self._edit, 5),
            (self._shift, 3),
            (self._delete, 2),
            (self._move, 2),
            (self._duplicate, 3),
            (self._modify, 3),
            (self._rezone, 1),
            (self._cancel, 1),
            (self._recreate, 1),
            (self._enter_again, 4),
            (self._split, 4),
            (self._except, 3),
            (self._convert, 1),
            (touch_copy, 1),
        )
        action = self._rng.choices([a for a, _ in actions], [weight for _, weight in actions])[0]
        try:
            if (done := action()) is not None:
                await done
        except (GraphError, LoadError) as error:
            self._tell(f"{action.__name__} refused: {error}")
            return
        self._tell(action.__name__)
        self.remember()

    def _tell(self, what: str) -> None:
        self.log.append(what)
        self._graph.trace.add("person", what)

    def _events(self, calendar: Calendar | None = None) -> list[Event]:
        return list((calendar or self.source).events.values())

    def _pick(self) -> Event | None:
        events = self._events()
        return self._rng.choice(events) if events else None

    def _create(self) -> None:
        self._number += 1
        rng = self._rng
        kind = rng.random()
        entry = self._entry()
        if kind < 0.12:
            entry["recurrence"] = self._recurrence(entry)
        elif kind < 0.2 and self._events():
            entry = self._copy_of(rng.choice(self._events())) or entry
        elif kind < 0.3 and self._events():
            entry = self._beside(rng.choice(self._events())) or entry
        self._graph.loader.load_event(self.source, entry)

    def _entry(self) -> Json:
        rng = self._rng
        all_day = rng.random() < 0.12
        zone = rng.choice(_ZONES)
        start = self._moment()
        if all_day:
            start = start.replace(hour=0, minute=0)
            length = timedelta(days=rng.choice((1, 1, 2)))
        else:
            length = timedelta(minutes=rng.choice((0, 15, 30, 60, 60, 90, 1500)))
        entry: Json = {
            "subject": f"{rng.choice(_WORDS)} {self._number}",
            "body": {"contentType": "html", "content": f"<p>Body {rng.randrange(1000)}</p>"},
            "start": {"dateTime": start.isoformat(), "timeZone": zone},
            "end": {"dateTime": (start + length).isoformat(), "timeZone": zone},
            "isAllDay": all_day,
            "showAs": rng.choice(("busy", "free", "tentative", "oof", "unknown")),
            "categories": rng.sample(_CATEGORIES, rng.randrange(3)),
            "sensitivity": rng.choice(("normal", "normal", "private")),
            "importance": rng.choice(("normal", "normal", "high", "low")),
        }
        if rng.random() < 0.15:
            address = {"address": "bob@example.test", "name": "Bob"}
            entry["attendees"] = [{"emailAddress": address, "type": "required"}]
        if rng.random() < 0.1:
            entry["attachments"] = rng.randrange(1, 4)
        if rng.random() < 0.1:
            entry["location"] = {"displayName": "Room 1"}
        return entry

    def _moment(self) -> datetime:
        day = self._rng.randrange(-1, DAYS + 1)
        return (self._first + timedelta(days=day, minutes=15 * self._rng.randrange(96))).replace(tzinfo=None)

    def _recurrence(self, entry: Json) -> Json:
        first = entry["start"]["dateTime"][:10]
        return {
            "pattern": {"type": "daily", "interval": self._rng.choice((1, 2))},
            "range": {
                "type": "numbered",
                "startDate": first,
                "numberOfOccurrences": self._rng.randrange(2, 6),
                "recurrenceTimeZone": entry["start"]["timeZone"],
            },
        }

    def _copy_of(self, event: Event) -> Json | None:
        if event.recurrence is not None:
            return None
        item = raw_json(event)
        return {name: item[name] for name in ("start", "end", *_COPIED)}

    def _modify(self) -> None:
        event = self._pick()
        entry = self._beside(event) if event else None
        if entry is not None:
            self._graph.loader.load_event(self.source, entry)

    def _beside(self, event: Event) -> Json | None:
        """An entry that says how a meeting really went, or nearly so (domain.md 4)."""
        if event.recurrence is not None or event.span.all_day:
            return None
        rng = self._rng
        edge = rng.choice((event.span.start, event.span.end))
        start = edge + timedelta(minutes=rng.choice((-30, -15, -5, 0, 0, 0, 5, 6)))
        end = start + timedelta(minutes=rng.choice((5, 15, 15, 30, 30)))
        zone = event.span.start_zone
        return {
            "subject": rng.choice(_ENTRIES),
            "body": {"contentType": "html", "content": f"<p>Entry {rng.randrange(1000)}</p>"},
            "start": {"dateTime": start.replace(tzinfo=None).isoformat(), "timeZone": zone},
            "end": {"dateTime": end.replace(tzinfo=None).isoformat(), "timeZone": zone},
            "categories": rng.choice(([], [], [rng.choice(_CATEGORIES)])),
        }

    def _duplicate(self) -> None:
        event = self._pick()
        entry = self._copy_of(event) if event else None
        if entry is not None:
            self._graph.loader.load_event(self.source, entry)

    def patch(self, item: Item, **fields: Any) -> None:
        """Change an event of the mailbox."""
        self._graph.loader.store.update(item, read_event(fields, creating=False, wrap_bodies=True))

    def _edit(self) -> None:
        event = self._pick()
        if event is None:
            return
        rng = self._rng
        fields: list[Json] = [
            {"subject": f"{rng.choice(_WORDS)} edited {rng.randrange(1000)}"},
            {"body": {"contentType": "html", "content": f"<p>Edited {rng.randrange(1000)}</p>"}},
            {"categories": rng.sample(_CATEGORIES, rng.randrange(3))},
            {"showAs": rng.choice(("busy", "free", "tentative", "oof", "workingElsewhere"))},
            {"importance": rng.choice(("normal", "high", "low"))},
            {"location": {"displayName": f"Room {rng.randrange(9)}"}},
        ]
        self.patch(event, **rng.choice(fields))

    def _shift(self) -> None:
        event = self._pick()
        if event is None:
            return
        by = timedelta(minutes=15 * self._rng.randrange(-200, 200))
        if event.span.all_day:
            by = timedelta(days=self._rng.choice((-1, 1, 3)))
        self.patch(event, **_times(event, by))

    def _rezone(self) -> None:
        event = self._pick()
        if event is None or event.span.all_day or event.recurrence is not None:
            return
        zone = self._rng.choice(("UTC", "Europe/Berlin", "Asia/Tokyo"))
        item = raw_json(event)
        times = {
            name: {
                "dateTime": datetime.fromisoformat(item[name]["dateTime"])
                .replace(tzinfo=UTC)
                .astimezone(ZoneInfo(zone))
                .replace(tzinfo=None)
                .isoformat(),
                "timeZone": zone,
            }
            for name in ("start", "end")
        }
        self.patch(event, **times)

    def _delete(self) -> None:
        event = self._pick()
        if event is not None:
            self.delete(event)

    def delete(self, item: Item) -> None:
        """Delete an event of the mailbox."""
        self._graph.loader.store.delete(item)

    def _move(self) -> None:
        here, there = (self.source, self.other) if self._rng.random() < 0.6 else (self.other, self.source)
        events = self._events(here)
        if events:
            self._graph.state.move(self._rng.choice(events), there)

    def _cancel(self) -> None:
        event = self._pick()
        if event is not None:
            self._graph.loader.owner_edit({"isCancelled": True}, event)

    def _recreate(self) -> None:
        """The same meeting comes again under another id, as after a mailbox restore."""
        event = self._pick()
        entry = self._copy_of(event) if event else None
        if event is None or entry is None:
            return
        entry["iCalUId"] = event.ical_uid
        self._graph.loader.store.delete(event)
        self._graph.loader.load_event(self.source, entry)

    def _enter_again(self) -> None:
        """The same meeting is deleted and entered again by hand, with or without its category."""
        event = self._pick()
        entry = self._copy_of(event) if event else None
        if event is None or entry is None:
            return
        if self._rng.random() < 0.5:
            entry["categories"] = []
        self._graph.loader.store.delete(event)
        self._graph.loader.load_event(self.source, entry)

    def _split(self) -> None:
        """ "This and following": the series ends, another one goes on, some minutes later or not."""
        series = [event for event in self._events() if event.recurrence is not None]
        event = self._rng.choice(series) if series else None
        if event is None or event.recurrence is None or (event.recurrence.count or 0) < 2:
            return
        item = raw_json(event)
        pattern, span = item["recurrence"]["pattern"], item["recurrence"]["range"]
        first = self._rng.randrange(1, span["numberOfOccurrences"])
        by = timedelta(days=first * pattern["interval"])
        if not event.span.all_day:
            by += timedelta(minutes=self._rng.choice((0, 0, 15, 60)))
        times = _times(event, by)
        entry = {name: item[name] for name in _COPIED} | times
        rest = span["numberOfOccurrences"] - first
        self.patch(event, recurrence={"pattern": pattern, "range": span | {"numberOfOccurrences": first}})
        following = span | {"startDate": times["start"]["dateTime"][:10], "numberOfOccurrences": rest}
        entry["recurrence"] = {"pattern": pattern, "range": following}
        self._graph.loader.load_event(self.source, entry)

    def _except(self) -> None:
        series = [event for event in self._events() if event.recurrence is not None]
        if not series:
            return
        event = self._rng.choice(series)
        occurrences = list(event.occurrences(_FAR))
        if not occurrences:
            return
        occurrence: Occurrence = self._rng.choice(occurrences)
        match self._rng.randrange(3):
            case 0:
                self.patch(occurrence, subject=f"Exception {self._rng.randrange(1000)}")
            case 1:
                self.patch(occurrence, **_times(occurrence, timedelta(minutes=15)))
            case _:
                self._graph.loader.store.delete(occurrence)

    def _convert(self) -> None:
        event = self._pick()
        if event is None or event.recurrence is not None or event.span.all_day:
            return
        start = {"dateTime": event.span.start.isoformat(), "timeZone": event.span.start_zone}
        self.patch(event, recurrence=self._recurrence({"start": start}))


def _times(item: Item, by: timedelta) -> Json:
    span = item.span
    return {
        "start": {
            "dateTime": (span.start + by).replace(tzinfo=None).isoformat(),
            "timeZone": span.start_zone,
        },
        "end": {"dateTime": (span.end + by).replace(tzinfo=None).isoformat(), "timeZone": span.end_zone},
    }


def key_of(item: Json) -> str:
    """The source key as domain.md 2.3 defines it, from Graph's JSON."""
    if item["type"] == "singleInstance":
        return f"s:{item['id']}"
    return f"o:{item['seriesMasterId']}:{_original_date(item)}"


def _original_date(item: Json) -> str:
    """The date of an occurrence's slot in the zone that its event was entered in."""
    if item["isAllDay"] and item["type"] == "occurrence":
        return str(item["start"]["dateTime"][:10])
    slot = datetime.fromisoformat(item["originalStart"][:19]).replace(tzinfo=UTC)
    local = slot.astimezone(find_zone(item["originalStartTimeZone"]) or UTC)
    if item["isAllDay"] and (local.hour, local.minute) != (0, 0):
        local = slot + timedelta(hours=12)
    return f"{local:%Y-%m-%d}"


def archive_key_of(copy: Json) -> str:
    """The ``ArchiveKey`` of a copy; empty if it has none."""
    return property_of(copy, "ArchiveKey")


def property_of(copy: Json, name: str) -> str:
    """The value of one of our extended properties."""
    for entry in copy.get("singleValueExtendedProperties") or ():
        if entry["id"].casefold().endswith(f"name {name}".casefold()):
            return str(entry["value"])
    return ""
