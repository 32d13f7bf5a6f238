"""A person's mailbox: what is in it, what it ever held, and what the person does to it at random moments."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from infra.local.graph_simulator.control.owner_actions import OwnerActions
from infra.local.graph_simulator.graph.event_fields import read_event
from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Calendar, Event, Item
from infra.local.graph_simulator.values.errors import GraphError, LoadError
from tests.simulation.entries import ARCHIVE_ZONES, Entries
from tests.simulation.graph_world import GraphWorld
from tests.simulation.rules import modifies
from tests.simulation.source_keys import Json, archive_key_of, key_of, meeting_of, original_date

_FAR = 10**17
type Deed = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the mailbox held from an instant on: the calendar that is archived, and the others."""

    since: float
    source: tuple[Json, ...]
    elsewhere: tuple[Json, ...]

    @property
    def ids(self) -> set[str]:
        """Graph's ids of what was in any calendar."""
        return {item["id"] for item in (*self.source, *self.elsewhere)}


class Person:
    """The owner of the mailbox; every change goes into ``history`` and ``moments``."""

    def __init__(self, rng: random.Random, graph: GraphWorld, oid: UUID, first_day: datetime) -> None:
        self.rng = rng
        self.graph = graph
        self.entries = Entries(rng, first_day)
        self.outlook = OwnerActions(graph.state, graph.loader)
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
        #: What the calendars held after each change.
        self.moments: list[Moment] = []
        #: How many meetings at most the person would say took place, by ``meeting_of``.
        self.meetings: Counter[int] = Counter()
        #: Meetings whose event came again under another id, with the number of moments before that.
        self.remade: dict[int, int] = {}
        #: On how many days nobody knows a series that came again; ``meetings`` has these days already.
        self._unknown: Counter[int] = Counter()
        #: Meetings that were entered again where it is certain that their owner is asked; nobody edits them.
        self.settled: set[int] = set()
        #: Whether some run was to take the source as it is: then nothing waits (domain.md 2.10).
        self.replaced = False
        #: Archive keys of copies the person edited or deleted: nobody writes to those against their will.
        self.touched: set[str] = set()
        #: The meetings that those copies were about.
        self.touched_meetings: set[int] = set()
        #: How often each kind of edit was made.
        self.deeds: Counter[str] = Counter()
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
        return [raw_json(item) for item in self.graph.service.resources.instances_in(events, -_FAR, _FAR)]

    def remember(self) -> None:
        """Add what the mailbox holds now to the history."""
        moment = Moment(
            self.graph.trace.now(), tuple(self.instances(self.source)), tuple(self.instances(self.other))
        )
        self.moments.append(moment)
        for item in (*moment.source, *moment.elsewhere):
            versions = self.history.setdefault(key_of(item), [])
            if not versions or versions[-1] != item:
                versions.append(item)

    async def do(self, deed: Deed) -> None:
        """One thing to the mailbox, or to some copy.

        What Graph refuses is not done. What the deed did before that stays, and is remembered.
        """
        name = deed.__name__
        try:
            if (done := deed()) is not None:
                await done
        except (GraphError, LoadError) as error:
            self._tell(f"{name} refused: {error}")
        else:
            self._tell(name)
        self.remember()

    def _tell(self, what: str) -> None:
        self.log.append(what)
        self.deeds[what.partition(":")[0]] += 1
        self.graph.trace.add("person", what)

    def touch_copy(self, copy: Json) -> None:
        """The person is about to change a copy."""
        self.touched.add(archive_key_of(copy))
        self.touched_meetings.add(meeting_of(copy))

    def events(self, calendar: Calendar | None = None) -> list[Event]:
        """Single events and series of a calendar, by default of the one that is archived."""
        return list((calendar or self.source).events.values())

    def pick(self, *, series: bool | None = None) -> Event | None:
        """An event at random: any, only a series, or only a single one."""
        events = [
            each
            for each in self.events()
            if series in (None, each.recurrence is not None)
            and not (self.settled and self.about(each) in self.settled)
        ]
        return self.rng.choice(events) if events else None

    @property
    def may_count(self) -> Counter[int]:
        """The largest number of times that each meeting took place, as the person knows."""
        return self.meetings + (Counter(self.settled) if self.replaced else Counter())

    def is_untouched(self, event: Event) -> bool:
        """Whether a single event is as it was entered, without changes."""
        versions = self.history.get(key_of(raw_json(event)), ())
        return len(versions) == 1 and self.meetings[self.about(event)] == 1

    def always_called(self, event: Event) -> bool:
        """Whether every event of this meeting had the subject of this one."""
        number = self.about(event)
        return all(each["subject"] == event.fields["subject"] for each in self._shown(number))

    def made_again(self, event: Event, days: int | None = None) -> None:
        """An event comes again under another id; after it moved far, nobody knows it again.

        So does a single event that becomes a series, and a series of which one day stays (``days`` is 1).
        """
        number = self.about(event)
        self._came_again(number)
        if event.recurrence is not None:
            # Of a series the days that it showed once and shows no more may have taken place, too.
            shown = list(event.occurrences(_FAR))
            now = {raw_json(each)["originalStart"][:10] for each in shown}
            changed = any(_date(each) not in now for each in self._shown(number))
            unknown = len(shown) if changed else self._stood_elsewhere(event)
            self._reckon_unknown(number, unknown if days is None else min(unknown, days))
            return
        self.meetings[number] += self._went_far(number)

    def split_off(self, rest: Event, unknown: int) -> None:
        """The rest of a series comes again under another id; on ``unknown`` days nobody knows it, or on more.

        If the series stood on other days before, nothing says that the rest is of it.
        """
        number = self.about(rest)
        self._came_again(number)
        self._reckon_unknown(number, max(unknown, self._stood_elsewhere(rest)))

    def moved(self, event: Event) -> None:
        """An event stands at another time now. What was made again first is known by nobody either."""
        number = self.about(event)
        if number not in self.remade:
            return
        if event.recurrence is not None:
            # Of the parts of a series, the first is known by its id as before.
            if not any(_is_of(event, each) for each in self._shown(number, self.remade[number])):
                self._reckon_unknown(number, self._stood_elsewhere(event))
        else:
            self.meetings[number] += self._went_far(number, event.span.start)

    def _came_again(self, number: int) -> None:
        self.remade[number] = len(self.moments)
        self._unknown[number] = 0

    def _reckon_unknown(self, number: int, days: int) -> None:
        """Count days on which nobody knows a meeting again: its old copies stay beside the new ones."""
        self.meetings[number] += max(0, days - self._unknown[number])
        self._unknown[number] = max(days, self._unknown[number])

    def _stood_elsewhere(self, series: Event) -> int:
        """On how many days nobody knows a series again, since it stood elsewhere before it came again.

        If it is known by its times alone, that is so for each time. Of other series one date is enough: then
        the series before is known, and its owner is asked about the rest (domain.md 2.16, 2.17).
        """
        number = self.about(series)
        by_times = any(_is_known_by_times(each) for each in self._shown(number))
        place = _start if by_times else _slot
        mine = {place(raw_json(each)) for each in series.occurrences(_FAR)}
        # Nobody misses what other parts of the series show.
        others = {
            place(each)
            for each in self.instances(self.source)
            if meeting_of(each) == number and not _is_of(series, each)
        }
        if by_times:
            gone = {place(each) for each in self._shown(number, self.remade[number])} - others
            return min(len(gone - mine), len(mine))
        gone_at = [
            {place(each) for each in moment.source if meeting_of(each) == number} - others
            for moment in self.moments[: self.remade[number]]
        ]
        return max((min(len(each), len(mine)) for each in gone_at if each.isdisjoint(mine)), default=0)

    def _shown(self, number: int, moments: int | None = None) -> list[Json]:
        """What the archived calendar showed of a meeting, in all moments or the first ones."""
        return [
            each for moment in self.moments[:moments] for each in moment.source if meeting_of(each) == number
        ]

    def _went_far(self, number: int, *now: datetime) -> bool:
        """Whether nobody knows a meeting again by subject and day, since its events stood elsewhere."""
        items = self._shown(number)
        starts = {*now, *(datetime.fromisoformat(each["start"]["dateTime"][:19]) for each in items)}
        if any(_is_known_by_times(each) for each in items):
            return len(starts) > 1
        utc = [start.replace(tzinfo=UTC) for start in starts]
        return any(
            len({start.astimezone(ZoneInfo(zone)).date() for start in utc}) > 1 for zone in ARCHIVE_ZONES
        )

    def enter(self, entry: Json) -> Event:
        """Put an event into the calendar."""
        return self.graph.loader.load_event(self.source, entry)

    def patch(self, item: Item, **fields: Any) -> None:
        """Change an event of the mailbox."""
        self.graph.loader.store.update(item, read_event(fields, creating=False, wrap_bodies=True))

    def delete(self, item: Item) -> None:
        """Delete an event of the mailbox."""
        self.graph.loader.store.delete(item)

    def about(self, item: Item) -> int:
        """The meeting that an event is about."""
        return meeting_of(raw_json(item))


def _is_known_by_times(item: Json) -> bool:
    """Whether an event is known by its times alone (domain.md 2.16): a modification, free or all-day."""
    return modifies(item["subject"]) is not None or item["isAllDay"] or item["showAs"] == "free"


def _is_of(series: Event, item: Json) -> bool:
    """Whether an item is an occurrence of a series."""
    return bool(item.get("seriesMasterId") == raw_json(series)["id"])


def _start(item: Json) -> str:
    return str(item["start"]["dateTime"])


def _slot(item: Json) -> str:
    """The day of an event in the zone of its series, by which the next series knows it (domain.md 2.16)."""
    return _start(item)[:10] if item["type"] == "singleInstance" else original_date(item)


def _date(item: Json) -> str:
    """On which day an event stands, or stood before it was made an exception."""
    return str((item.get("originalStart") or item["start"]["dateTime"])[:10])
