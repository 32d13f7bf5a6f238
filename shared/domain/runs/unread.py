"""What could not be read or understood in a calendar (domain.md 2.12)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NotRequired, TypedDict
from zoneinfo import ZoneInfo

from shared.domain.runs.window import Window, local_day_start

UNDECODABLE = "undecodable_event"
NO_ID = "event_without_id"
NO_TIMES = "event_without_times"
NO_ORIGINAL_START = "no_original_start"


class ListedUnread(TypedDict):
    """What a plan stores of something unreadable. Times are ISO 8601. Earlier versions stored no ends."""

    source_id: str | None
    start: str | None
    end: NotRequired[str | None]
    code: str
    #: Since when it could not be read. Set when the plan is complete.
    since: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Unread:
    """One unreadable event, or a time range with something unreadable."""

    #: The store's code, or one of those above.
    code: str
    #: None if the event is unknown.
    event_id: str | None = None
    #: UTC, None if unknown. For an all-day event, midnight of its date. The same is true for ``end``.
    start: datetime | None = None
    end: datetime | None = None
    is_all_day: bool = False

    def to_json(self) -> ListedUnread:
        """For a plan's counts."""
        return {
            "source_id": self.event_id,
            "start": self.start.isoformat() if self.start else None,
            "end": self.end.isoformat() if self.end else None,
            "code": self.code,
        }

    @classmethod
    def from_json(cls, value: ListedUnread) -> "Unread":
        """Read the output of ``to_json``."""
        start, end = value["start"], value.get("end")
        return cls(
            value["code"],
            value["source_id"],
            datetime.fromisoformat(start) if start else None,
            datetime.fromisoformat(end) if end else None,
        )


class UnreadEvents:
    """What one reading could not read. Each event is in it once. Ranges that touch are joined."""

    def __init__(self) -> None:
        self._events: dict[str, Unread] = {}
        self._slots: list[Unread] = []

    def __bool__(self) -> bool:
        return bool(self._events or self._slots)

    @property
    def ids(self) -> Collection[str]:
        """The events with a known id."""
        return self._events.keys()

    @property
    def slots(self) -> list[Unread]:
        """The ranges that stay open, in order."""
        return list(self._slots)

    def add(self, unread: Unread) -> None:
        """Add an event or a range."""
        if unread.event_id is not None:
            known = self._events.get(unread.event_id)
            # Only some reads give the times.
            if known is None or (known.start is None and unread.start is not None):
                self._events[unread.event_id] = unread
            return
        self._slots = list(_joined([*self._slots, unread]))

    def update(self, others: Iterable[Unread]) -> None:
        """Add several."""
        for each in others:
            self.add(each)

    def locate(self, event_id: str, start: datetime) -> None:
        """Set the start at which an event was last seen, if reading it by id gave no start."""
        known = self._events.get(event_id)
        if known is not None and known.start is None:
            self._events[event_id] = replace(known, start=start)

    def holds(self, instant: datetime) -> bool:
        """Whether the instant is in an unreadable range."""
        return any(
            slot.start is None or slot.end is None or slot.start <= instant < slot.end for slot in self._slots
        )

    def of_window(self, window: Window) -> list[Unread]:
        """What belongs or may belong to the window, by the start that decides it (2.2).

        A range is left out if a known event explains it.
        """
        events = [_placed(each, window.zone) for each in self._events.values()]
        found = [each for each in events if each.start is None or window.start <= each.start < window.end]
        found += [
            each
            for each in self._slots
            if (
                each.start is None
                or each.end is None
                or (each.start < window.end and each.end > window.start)
            )
            and not any(_in(each, event) for event in events)
        ]
        return sorted(found, key=lambda each: (each.start or window.start, each.event_id or ""))


def _in(slot: Unread, event: Unread) -> bool:
    if event.start is None or slot.start is None or slot.end is None:
        return False
    return slot.start <= event.start < slot.end


def _placed(each: Unread, zone: ZoneInfo) -> Unread:
    if each.start is None or not each.is_all_day:
        return each
    return replace(each, start=local_day_start(each.start.date(), zone), is_all_day=False)


def _joined(slots: list[Unread]) -> Iterable[Unread]:
    """Ranges in order, joined if they touch or overlap. A range of unknown extent contains all others."""
    everywhere = next((each for each in slots if each.start is None or each.end is None), None)
    if everywhere is not None:
        yield everywhere
        return
    last: Unread | None = None
    for each in sorted(slots, key=lambda slot: (slot.start, slot.end)):
        if last is not None and last.end is not None and each.start is not None and each.start <= last.end:
            last = replace(last, end=max(last.end, each.end)) if each.end else last
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last
