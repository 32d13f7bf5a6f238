"""Which events overlap, and their groups (domain.md 5.1, 5.2)."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_ALL_DAY_COUNTS_AS = frozenset({"busy", "oof", "unknown"})


@dataclass(frozen=True, slots=True)
class Interval:
    """The time of an event, UTC, half-open."""

    key: str
    start: datetime
    end: datetime

    def overlaps(self, other: "Interval") -> bool:
        """Whether both share an instant. Touching is not overlapping (domain.md 5.1)."""
        return max(self.start, other.start) < min(self.end, other.end)


def may_overlap(
    start: datetime,
    end: datetime,
    show_as: str,
    *,
    is_all_day: bool,
    takes_place: bool,
    all_day_counts: bool,
) -> bool:
    """Whether an event can overlap anything (domain.md 5.1, 2.1).

    Events of zero length, cancelled and declined events cannot. All-day events can only if they count and
    show ``busy`` or ``oof``. ``unknown`` counts as ``busy``.
    """
    if end <= start or not takes_place:
        return False
    return not is_all_day or (all_day_counts and show_as in _ALL_DAY_COUNTS_AS)


def overlap_groups(intervals: Iterable[Interval]) -> list[tuple[Interval, ...]]:
    """Connected components of two or more events, each sorted by start, end and key (domain.md 5.2)."""
    sweep = OverlapSweep()
    for interval in intervals:
        sweep.add(interval)
    return [component for component in sweep.advance(_END_OF_TIME) if len(component) > 1]


class OverlapSweep:
    """Finds connected components in one sweep with the running maximum end (domain.md 5.2)."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, datetime, str, Interval]] = []
        self._component: list[Interval] = []
        self._end = datetime.min.replace(tzinfo=UTC)

    def add(self, interval: Interval) -> None:
        """Take an interval that starts no earlier than the last ``advance``.

        Raises ValueError for an interval of zero length, which overlaps nothing.
        """
        if interval.end <= interval.start:
            raise ValueError("an interval without length belongs to no component")
        heapq.heappush(self._waiting, (interval.start, interval.end, interval.key, interval))

    def advance(self, now: datetime) -> Iterator[tuple[Interval, ...]]:
        """Everything that starts before ``now`` was added: yield the complete components."""
        while self._waiting and self._waiting[0][0] < now:
            interval = heapq.heappop(self._waiting)[3]
            if self._component and interval.start >= self._end:
                yield self._complete()
            self._end = max(self._end, interval.end) if self._component else interval.end
            self._component.append(interval)
        if self._component and self._end <= now:
            yield self._complete()

    def _complete(self) -> tuple[Interval, ...]:
        component = tuple(self._component)
        self._component = []
        return component
