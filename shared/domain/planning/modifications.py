"""Modifications: small events that say how a meeting really went (domain.md 4)."""

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.json_object import JsonObject

TOLERANCE = timedelta(minutes=5)
"""How far a modification may be from the edge of its meeting (domain.md 4.1, 4.3, 4.4)."""

REACH = timedelta(hours=23)
"""The largest distance between the starts of a meeting and its modification.

It is less than the one-day margins of planning (domain.md 2.2). So every run that plans one of the two sees
the other, and two runs never disagree.
"""

_MINUTE = timedelta(minutes=1)
_TOLERANCE_SECONDS = TOLERANCE.total_seconds()


class ModificationKind(StrEnum):
    """What a modification says about its meeting."""

    EXTENDED = "extended"
    SHORTENED = "shortened"
    EARLY_START = "early_start"
    LATE_START = "late_start"


_WHOLE_SUBJECTS = {
    "extended": ModificationKind.EXTENDED,
    "extension": ModificationKind.EXTENDED,
    "early start": ModificationKind.EARLY_START,
    "started early": ModificationKind.EARLY_START,
    "late start": ModificationKind.LATE_START,
    "started late": ModificationKind.LATE_START,
}
_SHORTENED = re.compile(r"(?<!\w)shortened(?!\w)")


def modification_kind(subject: str) -> ModificationKind | None:
    """The kind of modification in this subject. None for a meeting (domain.md 4.1-4.4)."""
    folded = " ".join(subject.casefold().split())
    kind = _WHOLE_SUBJECTS.get(folded)
    if kind is None and "shortened" in folded and _SHORTENED.search(folded):
        return ModificationKind.SHORTENED
    return kind


@dataclass(frozen=True, slots=True)
class Modification:
    """A modification event, UTC. ``categories`` are the identities of its valid categories."""

    key: str
    kind: ModificationKind
    start: datetime
    end: datetime
    categories: frozenset[str] = frozenset()

    def to_json(self) -> JsonObject:
        """The form that ``from_json`` reads. Times are ISO 8601."""
        return {
            "key": self.key,
            "kind": self.kind.value,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "categories": sorted(self.categories),
        }

    @classmethod
    def from_json(cls, fields: JsonObject) -> "Modification":
        """Read the output of ``to_json``."""
        return cls(
            fields["key"],
            ModificationKind(fields["kind"]),
            datetime.fromisoformat(fields["start"]),
            datetime.fromisoformat(fields["end"]),
            frozenset(fields["categories"]),
        )


@dataclass(frozen=True, slots=True)
class ModifiedTimes:
    """The times that modifications give to an event (domain.md 4). UTC."""

    start: datetime
    end: datetime
    modifications: tuple[Modification, ...]


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting with its times so far, UTC. ``source_start`` never changes.

    ``applied`` are the modifications that made its times, in the order of application.
    """

    key: str
    start: datetime
    end: datetime
    source_start: datetime
    categories: frozenset[str] = frozenset()
    applied: tuple[Modification, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A modification and the key of the meeting that consumed it. None for an orphan."""

    modification: Modification
    meeting: str | None


def modified(meeting: Meeting, modification: Modification) -> Meeting | None:
    """The meeting after the modification, or None if it does not fit (domain.md 4.1-4.4).

    It fits by its place beside the meeting, and by the category if both have a valid one (4.5). Some time of
    the meeting must remain.
    """
    if _distance(meeting, modification) is None:
        return None
    if meeting.categories and modification.categories and not meeting.categories & modification.categories:
        return None
    start, end = meeting.start, meeting.end
    match modification.kind:
        case ModificationKind.EXTENDED:
            end = modification.end
        case ModificationKind.SHORTENED:
            end = max(modification.start, start + _MINUTE)
        case ModificationKind.EARLY_START:
            start = modification.start
        case ModificationKind.LATE_START:
            start = min(modification.end, end - _MINUTE)
    # A meeting of less than a minute cannot lose time: "at least 1 minute" would make it longer.
    shorter = modification.kind in (ModificationKind.SHORTENED, ModificationKind.LATE_START)
    if end <= start or (shorter and meeting.end - meeting.start < _MINUTE):
        return None
    return replace(meeting, start=start, end=end, applied=(*meeting.applied, modification))


class ModificationSweep:
    """Applies modifications to meetings while events come in order of start.

    A meeting is released as soon as no later or open modification can reach it. So only current meetings are
    held.
    """

    def __init__(self) -> None:
        self._meetings: dict[str, Meeting] = {}
        self._edges = _Edges()
        self._by_start: list[tuple[datetime, str]] = []
        self._by_end: list[tuple[datetime, str]] = []
        self._modifications: list[tuple[datetime, datetime, str, Modification]] = []

    def add(self, item: Meeting | Modification) -> None:
        """Take an event that starts no earlier than the last ``advance``."""
        if isinstance(item, Modification):
            heapq.heappush(self._modifications, (item.start, item.end, item.key, item))
        else:
            self._hold(item)

    def advance(
        self, now: datetime, entering: Iterable[Meeting | Modification] = ()
    ) -> Iterator[Meeting | Judged]:
        """Everything that starts before ``now`` was added: yield what is final, then take what starts now."""
        while self._modifications and now - self._modifications[0][1] > TOLERANCE:
            yield self._apply(heapq.heappop(self._modifications)[3])
        limit = min(now, self._modifications[0][0]) if self._modifications else now
        while self._by_end and limit - self._by_end[0][0] > TOLERANCE:
            end, key = heapq.heappop(self._by_end)
            meeting = self._meetings.get(key)
            if meeting is not None and meeting.end == end:
                self._release(meeting)
                yield meeting
        for item in entering:
            self.add(item)

    def earliest_start(self, now: datetime) -> datetime:
        """Every later result starts at or after this instant, including orphans."""
        while self._by_start:
            start, key = self._by_start[0]
            meeting = self._meetings.get(key)
            if meeting is not None and meeting.start == start:
                break
            heapq.heappop(self._by_start)
        starts = [heap[0][0] for heap in (self._by_start, self._modifications) if heap]
        return min((now, *starts))

    def _apply(self, modification: Modification) -> Judged:
        nearest: list[Meeting] = []
        shortest: timedelta | None = None
        for key in self._edges.near(modification):
            meeting = self._meetings[key]
            after = modified(meeting, modification)
            distance = _distance(meeting, modification)
            if after is None or distance is None:
                continue
            if shortest is None or distance < shortest:
                nearest, shortest = [after], distance
            elif distance == shortest:
                nearest.append(after)
        if len(nearest) != 1:
            return Judged(modification, None)
        self._release(self._meetings[nearest[0].key])
        self._hold(nearest[0])
        return Judged(modification, nearest[0].key)

    def _hold(self, meeting: Meeting) -> None:
        self._meetings[meeting.key] = meeting
        self._edges.add(meeting)
        heapq.heappush(self._by_start, (meeting.start, meeting.key))
        heapq.heappush(self._by_end, (meeting.end, meeting.key))

    def _release(self, meeting: Meeting) -> None:
        del self._meetings[meeting.key]
        self._edges.remove(meeting)


class _Edges:
    """An index of meetings by the five minutes in which they start and end."""

    def __init__(self) -> None:
        self._starts: dict[int, set[str]] = {}
        self._ends: dict[int, set[str]] = {}

    def add(self, meeting: Meeting) -> None:
        self._starts.setdefault(_slot(meeting.start), set()).add(meeting.key)
        self._ends.setdefault(_slot(meeting.end), set()).add(meeting.key)

    def remove(self, meeting: Meeting) -> None:
        for edges, instant in ((self._starts, meeting.start), (self._ends, meeting.end)):
            slot = _slot(instant)
            keys = edges[slot]
            keys.discard(meeting.key)
            if not keys:
                del edges[slot]

    def near(self, modification: Modification) -> set[str]:
        """Keys of the meetings whose matching edge is near the modification."""
        if modification.end - modification.start >= REACH:
            return set()
        at_start = modification.kind in (ModificationKind.EARLY_START, ModificationKind.LATE_START)
        edges = self._starts if at_start else self._ends
        first, last = _slot(modification.start) - 1, _slot(modification.end) + 1
        return set().union(*(edges.get(slot, ()) for slot in range(first, last + 1)))


def _slot(instant: datetime) -> int:
    return int(instant.timestamp() // _TOLERANCE_SECONDS)


def _distance(meeting: Meeting, modification: Modification) -> timedelta | None:
    """The distance of the modification from its meeting's edge. None if it is too far."""
    if modification.end - modification.start >= REACH:
        return None
    if abs(modification.start - meeting.source_start) >= REACH:
        return None
    match modification.kind:
        case ModificationKind.EXTENDED:
            distance = abs(modification.start - meeting.end)
            return distance if distance <= TOLERANCE else None
        case ModificationKind.SHORTENED:
            if not modification.start <= meeting.end <= modification.end:
                return None
            return min(meeting.end - modification.start, modification.end - meeting.end)
        case ModificationKind.EARLY_START:
            distance = abs(modification.end - meeting.start)
            spans = modification.start <= meeting.start <= modification.end
            return distance if spans or distance <= TOLERANCE else None
        case ModificationKind.LATE_START:
            distance = abs(modification.start - meeting.start)
            return distance if distance <= TOLERANCE else None
