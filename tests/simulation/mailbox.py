"""A person's mailbox: what is in it, what it ever held, and what the person does to it at random moments."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from infra.local.graph_simulator.control.owner_actions import OwnerActions
from infra.local.graph_simulator.graph.event_fields import read_event
from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Calendar, Event, Item
from infra.local.graph_simulator.values.errors import GraphError, LoadError
from tests.simulation.entries import Entries
from tests.simulation.graph_world import GraphWorld
from tests.simulation.recognising import unknown_again
from tests.simulation.source_keys import Json, archive_key_of, key_of, meeting_of

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
        #: Meetings whose event came again under another id, with each state of them before that.
        self.remade: dict[int, list[list[Json]]] = {}
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
        self._look_again(moment.source)

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
        """An event comes again under another id, or becomes a series, or one of its ``days`` stays.

        This edit and each later one count the days that nobody can recognise.
        """
        number = self.about(event)
        self.came_again(number)
        if event.recurrence is not None:
            # Of a series the days that it showed once and shows no more may have taken place, too.
            shown = list(event.occurrences(_FAR))
            now = {raw_json(each)["originalStart"][:10] for each in shown}
            if any(_date(each) not in now for each in self._shown(number)):
                self._reckon_unknown(number, len(shown) if days is None else days)

    def came_again(self, number: int, unknown: int = 0) -> None:
        """Events of a meeting come again under other ids; nobody knows ``unknown`` of them, or more."""
        held = [[each for each in moment.source if meeting_of(each) == number] for moment in self.moments]
        self.remade[number] = [each for each, _ in groupby(held)]
        self._unknown[number] = 0
        self._reckon_unknown(number, unknown)

    def used_again(self, number: int) -> None:
        """An event that may have taken place takes place again; unknown, if it came again before."""
        self._reckon_unknown(number, self._unknown[number] + 1)

    def _reckon_unknown(self, number: int, days: int) -> None:
        """Count days on which nobody knows a meeting again: its old copies stay beside the new ones."""
        self.meetings[number] += max(0, days - self._unknown[number])
        self._unknown[number] = max(days, self._unknown[number])

    def _look_again(self, source: Sequence[Json]) -> None:
        """Reckon with each meeting that came again: any state before may be archived, and so may this one."""
        for number, states in self.remade.items():
            now = [each for each in source if meeting_of(each) == number]
            unknown = max((unknown_again(before, now) for before in states), default=0)
            self._reckon_unknown(number, unknown)

    def _shown(self, number: int) -> list[Json]:
        """What the archived calendar ever showed of a meeting."""
        return [each for moment in self.moments for each in moment.source if meeting_of(each) == number]

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


def _date(item: Json) -> str:
    """On which day an event stands, or stood before it was made an exception."""
    return str((item.get("originalStart") or item["start"]["dateTime"])[:10])
