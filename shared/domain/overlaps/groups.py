"""Which events overlap, and in what groups (domain.md 5.1, 5.2)."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_ALL_DAY_COUNTS_AS = frozenset({"busy", "oof", "unknown"})


@dataclass(frozen=True, slots=True)
class Interval:
    """The time an event takes up, UTC, half-open."""

    key: str
    start: datetime
    end: datetime

    def overlaps(self, other: "Interval") -> bool:
        """Whether both share an instant: touching is not overlapping (domain.md 5.1)."""
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
    """Whether an event can overlap anything at all (domain.md 5.1, 2.1).

    Zero-length, cancelled and declined events never do; all-day ones only where they count and show
    ``busy`` or ``oof``, as which ``unknown`` counts.
    """
    if end <= start or not takes_place:
        return False
    return not is_all_day or (all_day_counts and show_as in _ALL_DAY_COUNTS_AS)


def overlap_groups(intervals: Iterable[Interval]) -> list[tuple[Interval, ...]]:
    """The connected components of two and more events, each sorted by start, end and key (domain.md 5.2)."""
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
        """Take an interval that starts no earlier than the last ``advance`` said.

        Raises ValueError for one without length, which overlaps nothing.
        """
        if interval.end <= interval.start:
            raise ValueError("an interval without length belongs to no component")
        heapq.heappush(self._waiting, (interval.start, interval.end, interval.key, interval))

    def advance(self, now: datetime) -> Iterator[tuple[Interval, ...]]:
        """Everything that starts before ``now`` was added: yield the components that are complete."""
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
