"""What a person enters into a calendar: meetings, series, entries beside meetings."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Event, Item

type Json = dict[str, Any]

#: Days that a world's events lie on.
DAYS = 10
#: Time zones that archives may be in.
ARCHIVE_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland")
CATEGORIES = (
    *("Acme - billable", "Beta - non-billable", "Online", "Break - non-billable", "Acme - billable"),
    *("acme - non-billable", "Billable - Beta", "Smith - Jones - billable", "Acme", "Acme - perhaps"),
)
WORDS = ("Review", "Lunch", "Acme", "Travel", "Planning", "日本語", "Ünïcode", "Extended", "1:1")
#: Subjects of entries that say how a meeting really went.
BESIDE = ("Extended", "Extension", "Shortened", "Shortened, at last", "Early start", "Started late")
_ZONES = ("UTC", "Europe/Berlin", "Pacific Standard Time", "America/New_York", "Asia/Tokyo")
_COPIED = (
    *("subject", "body", "start", "end", "isAllDay"),
    *("showAs", "categories", "sensitivity", "importance"),
)


class Entries:
    """Makes the bodies of events; each new one is about a meeting of its own."""

    def __init__(self, rng: random.Random, first_day: datetime) -> None:
        self._rng = rng
        self._first = first_day
        self._number = 0

    def body(self, meeting: int) -> Json:
        """Some text about a meeting."""
        content = f"<p>Body {self._rng.randrange(1000)} of meeting {meeting}</p>"
        return {"contentType": "html", "content": content}

    def new_meeting(self) -> int:
        """The number of a meeting nobody entered before."""
        self._number += 1
        return self._number

    def entry(self) -> Json:
        """A meeting of any kind."""
        rng, meeting = self._rng, self.new_meeting()
        all_day = rng.random() < 0.12
        zone = rng.choice(_ZONES)
        start = self._moment()
        if all_day:
            start = start.replace(hour=0, minute=0)
            length = timedelta(days=rng.choice((1, 1, 2)))
        else:
            length = timedelta(minutes=rng.choice((0, 15, 30, 60, 60, 90, 1500)))
        entry: Json = {
            "subject": f"{rng.choice(WORDS)} {meeting}",
            "body": self.body(meeting),
            **times_of(start, start + length, zone),
            "isAllDay": all_day,
            "showAs": rng.choice(("busy", "free", "tentative", "oof", "unknown")),
            "categories": rng.sample(CATEGORIES, rng.randrange(3)),
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

    def calls(self) -> list[Json]:
        """Three short calls of one subject on one day: nobody tells them apart but by their times."""
        meeting = self.new_meeting()
        body = self.body(meeting)
        day = self._moment().replace(hour=0, minute=0)
        starts = sorted(self._rng.sample(range(8 * 4, 18 * 4), 3))
        common = {"subject": "Call", "body": body, "showAs": "busy", "categories": ["Acme - billable"]}
        return [
            common
            | times_of(day + timedelta(minutes=15 * start), day + timedelta(minutes=15 * start + 15), "UTC")
            for start in starts
        ]

    def recurrence(self, entry: Json) -> Json:
        """A daily recurrence of an entry, from its own day on."""
        return {
            "pattern": {"type": "daily", "interval": self._rng.choice((1, 2))},
            "range": {
                "type": "numbered",
                "startDate": entry["start"]["dateTime"][:10],
                "numberOfOccurrences": self._rng.randrange(2, 6),
                "recurrenceTimeZone": entry["start"]["timeZone"],
            },
        }

    def beside(self, event: Event) -> Json | None:
        """An entry that says how a meeting really went, or nearly so (domain.md 4)."""
        if event.recurrence is not None or event.span.all_day:
            return None
        rng = self._rng
        edge = rng.choice((event.span.start, event.span.end))
        start = edge + timedelta(minutes=rng.choice((-30, -15, -5, 0, 0, 0, 5, 6)))
        end = start + timedelta(minutes=rng.choice((5, 15, 15, 30, 30)))
        return {
            "subject": rng.choice(BESIDE),
            "body": self.body(self.new_meeting()),
            **times_of(start, end, event.span.start_zone),
            "categories": rng.choice(([], [], [rng.choice(CATEGORIES)])),
        }

    def _moment(self) -> datetime:
        day = self._rng.randrange(-1, DAYS + 1)
        return (self._first + timedelta(days=day, minutes=15 * self._rng.randrange(96))).replace(tzinfo=None)


def times_of(start: datetime, end: datetime, zone: str, end_zone: str | None = None) -> Json:
    """Start and end as Graph takes them; wall-clock times."""
    return {
        "start": {"dateTime": start.replace(tzinfo=None).isoformat(), "timeZone": zone},
        "end": {"dateTime": end.replace(tzinfo=None).isoformat(), "timeZone": end_zone or zone},
    }


def shifted(item: Item, by: timedelta) -> Json:
    """The times of an event, later by so much."""
    span = item.span
    return times_of(span.start + by, span.end + by, span.start_zone, span.end_zone)


def stays_on_its_day(event: Event, by: timedelta) -> bool:
    """Whether an event stays on its local date in every archive if it is moved by so much."""
    start = datetime.fromisoformat(raw_json(event)["start"]["dateTime"]).replace(tzinfo=UTC)
    return all(
        start.astimezone(ZoneInfo(zone)).date() == (start + by).astimezone(ZoneInfo(zone)).date()
        for zone in ARCHIVE_ZONES
    )


def copied(event: Event) -> Json:
    """The body that enters an event again, times and text included."""
    item = raw_json(event)
    return {name: item[name] for name in _COPIED}


def copy_of_single(event: Event | None) -> Json | None:
    """The body that enters a single event again; None for a series."""
    return None if event is None or event.recurrence is not None else copied(event)
