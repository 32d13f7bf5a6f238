"""What of a calendar could not be read or understood (domain.md 2.12)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.domain.runs.window import Window, local_day_start

UNDECODABLE = "undecodable_event"
NO_ID = "event_without_id"
NO_TIMES = "event_without_times"
NO_ORIGINAL_START = "no_original_start"


@dataclass(frozen=True, slots=True)
class Unread:
    """One event that could not be read, or a stretch of time in which something could not.

    ``code`` is the store's, or one of those above. Without ``event_id`` nobody knows what it is. ``start``
    and ``end`` are UTC, None where they are not known; of an all-day event the midnights of its dates.
    """

    code: str
    event_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    is_all_day: bool = False

    def to_json(self) -> dict[str, Any]:
        """For a plan's counts."""
        return {
            "source_id": self.event_id,
            "start": self.start.isoformat() if self.start else None,
            "end": self.end.isoformat() if self.end else None,
            "code": self.code,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Unread":
        """What ``to_json`` wrote, in this version or before it told ends."""
        start, end = value.get("start"), value.get("end")
        return cls(
            value["code"],
            value.get("source_id"),
            datetime.fromisoformat(start) if start else None,
            datetime.fromisoformat(end) if end else None,
        )


class UnreadEvents:
    """What one reading could not read: each event once, stretches that touch as one."""

    def __init__(self) -> None:
        self._events: dict[str, Unread] = {}
        self._slots: list[Unread] = []

    def __bool__(self) -> bool:
        return bool(self._events or self._slots)

    @property
    def ids(self) -> Collection[str]:
        """The events that are known by their id."""
        return self._events.keys()

    @property
    def slots(self) -> list[Unread]:
        """The stretches that stay open, in order."""
        return list(self._slots)

    def add(self, unread: Unread) -> None:
        """Note an event, or a stretch."""
        if unread.event_id is not None:
            known = self._events.get(unread.event_id)
            # The times are told by some reads alone.
            if known is None or (known.start is None and unread.start is not None):
                self._events[unread.event_id] = unread
            return
        self._slots = list(_joined([*self._slots, unread]))

    def update(self, others: Iterable[Unread]) -> None:
        """Note several."""
        for each in others:
            self.add(each)

    def locate(self, event_id: str, start: datetime) -> None:
        """An event that a read by its id did not tell the start of was last seen at ``start``."""
        known = self._events.get(event_id)
        if known is not None and known.start is None:
            self._events[event_id] = replace(known, start=start)

    def holds(self, instant: datetime) -> bool:
        """Whether the instant lies in a stretch that could not be read."""
        return any(
            slot.start is None or slot.end is None or slot.start <= instant < slot.end for slot in self._slots
        )

    def of_window(self, window: Window) -> list[Unread]:
        """What belongs to the window or may belong to it, by the start that decides about it (2.2).

        A stretch in which a known event could not be read is left out: that one is why.
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
    """Stretches in order; those that touch or overlap are one. One of unknown extent takes all others in."""
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
