"""What people do to single events, and to whole events whatever they are."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Event
from tests.simulation.entries import (
    CATEGORIES,
    WORDS,
    copied,
    copy_of_single,
    shifted,
    stays_on_its_day,
    times_of,
)
from tests.simulation.epoch import EPOCH
from tests.simulation.mailbox import Person
from tests.simulation.rules import modifies
from tests.simulation.source_keys import Json

_WEEK = timedelta(days=7)


class MeetingEdits:
    """Each method does one thing to some event. ``Person.meetings`` is told what a person would count."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._rng = person.rng
        self._entries = person.entries

    def create(self) -> None:
        """A new event or series, a duplicate, or an entry beside a meeting."""
        kind, events = self._rng.random(), self._person.events()
        entry = self._entries.entry()
        if kind < 0.12:
            entry["recurrence"] = self._entries.recurrence(entry)
        elif kind < 0.2 and events:
            entry = copy_of_single(self._rng.choice(events)) or entry
        elif kind < 0.3 and events:
            entry = self._entries.beside(self._rng.choice(events)) or entry
        self._enter(entry)

    def _enter(self, entry: Json) -> Event:
        event = self._person.enter(entry)
        count = entry.get("recurrence", {}).get("range", {}).get("numberOfOccurrences", 1)
        self._person.meetings[self._person.about(event)] += count
        return event

    def call_three_times(self) -> None:
        """Three calls of one subject on one day."""
        for entry in self._entries.calls():
            self._enter(entry)

    def duplicate(self) -> None:
        """The same event once more: two of one meeting, until one of them is changed."""
        entry = copy_of_single(self._person.pick())
        if entry is not None:
            self._enter(entry)

    def modify(self) -> None:
        """An entry that says how a meeting really went."""
        event = self._person.pick()
        entry = self._entries.beside(event) if event else None
        if entry is not None:
            self._enter(entry)

    def edit(self) -> None:
        """Another text, category or status of an event or series."""
        event = self._person.pick()
        if event is None:
            return
        rng = self._rng
        fields: list[Json] = [
            {"subject": f"{rng.choice(WORDS)} edited {rng.randrange(1000)}"},
            {"body": self._entries.body(self._person.about(event))},
            {"categories": rng.sample(CATEGORIES, rng.randrange(3))},
            {"showAs": rng.choice(("busy", "free", "tentative", "oof", "workingElsewhere"))},
            {"importance": rng.choice(("normal", "high", "low"))},
            {"location": {"displayName": f"Room {rng.randrange(9)}"}},
        ]
        self._person.patch(event, **rng.choice(fields))

    def shift(self) -> None:
        """An event or series at another time, up to two days off."""
        event = self._person.pick()
        if event is None:
            return
        by = timedelta(minutes=15 * self._rng.randrange(-200, 200))
        if event.span.all_day:
            by = timedelta(days=self._rng.choice((-1, 1, 3)))
        self._move(event, by)

    def drag_to_next_week(self) -> None:
        """A single event is used again: whether it took place before, nobody knows (domain.md 2.4)."""
        event = self._person.pick(series=False)
        if event is not None:
            self._move(event, _WEEK)

    def _move(self, event: Event, by: timedelta) -> None:
        self._person.patch(event, **shifted(event, by))
        about = self._person.about(event)
        if event.recurrence is not None:
            # Days that nobody looked at before have the series, and so have those that were archived.
            self._person.meetings[about] += abs(by.days) + 1
        elif event.span.start.replace(tzinfo=UTC) > EPOCH - timedelta(days=1):
            self._person.used_again(about)

    def rezone(self) -> None:
        """The same instants in another zone."""
        event = self._person.pick(series=False)
        if event is None or event.span.all_day:
            return
        zone = self._rng.choice(("UTC", "Europe/Berlin", "Asia/Tokyo"))
        item = raw_json(event)
        start, end = (
            datetime.fromisoformat(item[name]["dateTime"]).replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
            for name in ("start", "end")
        )
        self._person.patch(event, **times_of(start, end, zone))

    def delete(self) -> None:
        """An event or a whole series is deleted."""
        event = self._person.pick()
        if event is not None:
            self._person.delete(event)

    def move_to_calendar(self) -> None:
        """To a calendar that is not archived, or back."""
        person = self._person
        here, there = (
            (person.source, person.other) if self._rng.random() < 0.6 else (person.other, person.source)
        )
        events = person.events(here)
        if events:
            person.graph.state.move(self._rng.choice(events), there)

    def cancel(self) -> None:
        """Cancelled, and still present."""
        event = self._person.pick()
        if event is not None:
            self._person.graph.loader.owner_edit({"isCancelled": True}, event)

    def decline(self) -> None:
        """Declined, and kept by Outlook."""
        event = self._person.pick()
        if event is not None:
            response = {"response": "declined", "time": "2026-02-20T08:00:00Z"}
            self._person.graph.loader.owner_edit({"responseStatus": response}, event)

    def recreate(self) -> None:
        """The same meeting comes again under another id, as after a restore, or with a new subject."""
        event = self._person.pick()
        entry = copy_of_single(event)
        if event is None or entry is None:
            return
        entry["iCalUId"] = event.ical_uid
        if self._person.about(event) % 3 == 0:
            # Without a draw: what else happens in the world stays.
            entry["subject"] += " anew"
        self._person.made_again(event)
        self._person.delete(event)
        self._person.enter(entry)

    def enter_again(self) -> None:
        """The same meeting is deleted and entered again by hand, with or without its category."""
        event = self._person.pick()
        if event is None:
            return
        entry = copied(event)
        if event.recurrence is not None:
            # Graph takes a series only if its range starts on its own local date.
            entry |= shifted(event, timedelta()) | {"recurrence": raw_json(event)["recurrence"]}
        if self._rng.random() < 0.5:
            entry["categories"] = []
        self._person.made_again(event)
        self._person.delete(event)
        self._person.enter(entry)

    def enter_again_elsewhere(self) -> None:
        """A meeting is deleted and entered again at another time within a day: likely the same one."""
        event = self._person.pick(series=False)
        if event is None or event.span.all_day:
            return
        by = timedelta(minutes=15 * self._rng.choice((-90, -8, -4, -2, 2, 4, 8, 90)))
        entry = copied(event) | shifted(event, by)
        number = self._person.about(event)
        certain = (
            self._person.is_untouched(event)
            and self._person.always_called(event)
            and stays_on_its_day(event, by)
        )
        self._person.delete(event)
        self._person.enter(entry)
        if certain and entry["showAs"] != "free" and modifies(entry["subject"]) is None:
            self._person.settled.add(number)
        else:
            self._person.came_again(number, 1)

    def enter_calls_again(self) -> None:
        """Two of three calls are entered again, an hour later."""
        calls = [each for each in self._person.events() if each.fields["subject"] == "Call"]
        for event in calls[:2]:
            entry = copied(event) | shifted(event, timedelta(hours=1))
            self._person.delete(event)
            self._person.enter(entry)
        for number, unknown in Counter(map(self._person.about, calls[:2])).items():
            self._person.came_again(number, unknown)

    def invite_again(self) -> None:
        """The same invitation is sent again: another id, another ``iCalUId``, no category."""
        event = self._person.pick()
        if event is not None:
            self._person.made_again(event)
            self._person.outlook.invite_again(event, self._organizer())

    def replace_organizer(self) -> None:
        """Another organizer of the same item."""
        event = self._person.pick()
        if event is not None:
            self._person.outlook.replace_organizer(event, {"address": "carla@example.test", "name": "Carla"})

    def _organizer(self) -> Json:
        if self._rng.random() < 0.7:
            return {}
        return {"organizer": {"emailAddress": {"address": "carla@example.test", "name": "Carla"}}}
