"""Which VEVENTs of a file are one event: its newest version counts (RFC 5545 3.8.7.4, RFC 5546 2.1.5)."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.local.graph_simulator.loading.events import EventReader, Json, Times
from infra.local.graph_simulator.loading.text import Component
from infra.local.graph_simulator.loading.values import Moment, stamp_of

_NEVER = datetime.min.replace(tzinfo=UTC)
#: Messages about an event (RFC 5546 1.4): beside the event itself they add nothing.
_MESSAGES = frozenset({"REPLY", "COUNTER", "REFRESH", "DECLINECOUNTER"})
#: A revision without a change of content (RFC 5545 3.8.7.2: of a published file, when it was made).
_STAMPS = frozenset({"DTSTAMP"})

type Tell = Callable[["Entry", "Entry"], None]


@dataclass(slots=True, eq=False)
class Entry:
    """A VEVENT that can be read, and whose RECURRENCE-ID, if it has one, is known."""

    event: Component
    times: Times
    reader: EventReader
    method: str
    replaces: Moment | None
    _fields: Json | None = None

    def fields(self) -> Json:
        """Everything of it as Graph has it, except times and recurrence."""
        if self._fields is None:
            self._fields = self.reader.fields(self.event)
        return self._fields

    @property
    def uid(self) -> str:
        """Its UID, empty if it has none."""
        return self.event.value("UID")

    @property
    def sequence(self) -> int:
        """Its revision, 0 if it says none."""
        text = self.event.value("SEQUENCE")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0

    @property
    def and_following(self) -> bool:
        """Whether it changes its occurrence and all after it."""
        found = self.event.first("RECURRENCE-ID")
        return found is not None and found.params.get("RANGE", "").upper() == "THISANDFUTURE"

    @property
    def cancelled(self) -> bool:
        """Whether it does not take place."""
        return self.reader.is_cancelled(self.event)

    def original(self) -> object:
        """What its RECURRENCE-ID names, comparable; ``None`` without one."""
        if self.replaces is None:
            return None
        if self.replaces.is_date:
            return self.replaces.day
        wall, zone = self.reader.wall(self.replaces)
        return zone.instant(wall)

    def stamps(self) -> tuple[datetime, datetime]:
        """When it was changed and made."""
        changed, made = (stamp_of(self.event.first(name)) for name in ("LAST-MODIFIED", "DTSTAMP"))
        return changed or made or _NEVER, made or _NEVER


def newest(entries: Iterable[Entry], older: Tell, left: Tell) -> list[Entry]:
    """The entries that count, in their order.

    ``older`` is told of each version that another replaces, ``left`` of each that is the same as another.
    """
    groups: dict[object, list[Entry]] = defaultdict(list)
    for number, entry in enumerate(entries):
        key = (entry.uid, entry.original(), entry.and_following) if entry.uid else number
        groups[key].append(entry)
    known = {each.uid for group in groups.values() for each in group if each.method not in _MESSAGES}
    kept: list[Entry] = []
    for group in groups.values():
        events = []
        for each in group:
            if each.uid and each.method in _MESSAGES and each.uid in known:
                left(each, each)
            else:
                events.append(each)
        kept += _of_group(events, older, left) if len(events) > 1 else events
    return kept


def _of_group(group: list[Entry], older: Tell, left: Tell) -> list[Entry]:
    highest = max(each.sequence for each in group)
    top = [each for each in group if each.sequence == highest]
    for each in group:
        if each.sequence < highest:
            older(each, top[-1])
    distinct: dict[object, Entry] = {}
    for each in top:
        same = distinct.setdefault(_content(each.event), each)
        if same is not each:
            left(each, same)
    rivals: dict[object, list[Entry]] = defaultdict(list)
    for each in distinct.values():
        rivals[None if each.replaces is not None else _times(each)].append(each)
    return [each for same in rivals.values() for each in _latest(same, older)]


def _latest(same: list[Entry], older: Tell) -> list[Entry]:
    """Of entries of one SEQUENCE at the same times: the latest of each subject; a cancellation wins."""
    subjects: dict[object, list[Entry]] = defaultdict(list)
    one = same[0].replaces is not None or any(each.cancelled for each in same)
    for each in same:
        subjects["" if one else each.event.value("SUMMARY").casefold()].append(each)
    kept = []
    for versions in subjects.values():
        ranked = sorted(versions, key=lambda each: (*each.stamps(), each.cancelled))
        for each in ranked[:-1]:
            older(each, ranked[-1])
        kept.append(ranked[-1])
    return kept


def _times(entry: Entry) -> object:
    rules = [(each.name, each.value) for each in entry.event.properties if each.name in ("RRULE", "RDATE")]
    return entry.times.instant, entry.times.end_instant, tuple(sorted(rules))


def _content(event: Component) -> object:
    properties = [
        (each.name, tuple(sorted(each.params.items())), each.value)
        for each in event.properties
        if each.name not in _STAMPS
    ]
    return tuple(sorted(properties)), tuple(_content(part) for part in event.parts)
