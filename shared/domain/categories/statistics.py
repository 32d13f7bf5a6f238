"""Counts and hours by customer and billing type, for a range and by day, week and month (domain.md 3.5).

Gross hours are the sum of the events. Net hours are the union of their intervals: a minute that several
events cover counts once, for the event that starts first. An event belongs to the period in which it starts
(2.2), with all its hours, even if it crosses midnight. So the net hours of the days add up to the net hours
of the range. The same is true for weeks and months.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from shared.domain.categories.category import BillingType, Category, CategoryState, CategoryStatus, Special

_HOUR = Decimal(3_600_000_000)
_CENT = Decimal("0.01")
_NO_TIME: Final = timedelta()


@dataclass(frozen=True, slots=True)
class CountedEvent:
    """An event that counts (domain.md 2.18), UTC. ``source_deleted``: it is gone from the source calendar."""

    start: datetime
    end: datetime
    source_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """The number of events, their total time (``time``) and the union of their intervals (``net``)."""

    count: int = 0
    time: timedelta = _NO_TIME
    net: timedelta = _NO_TIME

    @property
    def hours(self) -> Decimal:
        """The gross hours, two decimals, half-even."""
        return _hours(self.time)

    @property
    def net_hours(self) -> Decimal:
        """The net hours, two decimals, half-even."""
        return _hours(self.net)


@dataclass(frozen=True, slots=True)
class CustomerTally:
    """The events of one customer and billing type. ``customer`` has the most frequent spelling."""

    customer: str
    billing_type: BillingType
    tally: Tally
    special: Special | None = None


@dataclass(frozen=True, slots=True)
class CategoryStatistics:
    """``ambiguous``, ``lines``, ``personal`` and ``invalid`` add up to ``total`` (gross)."""

    ambiguous: Tally = Tally()
    #: Without ambiguous events (domain.md 3.3).
    lines: tuple[CustomerTally, ...] = ()
    personal: Tally = Tally()
    invalid: Tally = Tally()
    #: Admin and break time, a part of the lines.
    special: Tally = Tally()
    uncategorised: Tally = Tally()
    #: A part of all events.
    source_deleted: Tally = Tally()
    #: The lines of all customers together, as in ``non_billable``.
    billable: Tally = Tally()
    non_billable: Tally = Tally()
    total: Tally = Tally()


type CategoryGroup = tuple[CategoryStatus, Sequence[CountedEvent]]
#: The first day of the period to which something that starts at this instant belongs.
type PeriodOf = Callable[[datetime], date]


def tally(events: Iterable[CountedEvent]) -> Tally:
    """The totals of the events."""
    return _Events(list(events)).tally()


def tally_by_period(events: Iterable[CountedEvent], period_of: PeriodOf) -> dict[date, Tally]:
    """The totals of each period. A period without events is missing."""
    kept = _Events(list(events))
    periods = {period_of(event.start) for event in kept.events}
    return {period: kept.tally(period, period_of) for period in periods}


def category_statistics(groups: Iterable[CategoryGroup]) -> CategoryStatistics:
    """The statistics of a range. Lines are sorted by customer and billing type.

    A group holds events with the same categories. The order of groups and events does not matter.
    """
    return _sorted_by_category(groups).statistics(None, None)


def statistics_by_period(
    groups: Iterable[CategoryGroup], period_of: PeriodOf
) -> dict[date, CategoryStatistics]:
    """As ``category_statistics``, by period. A period without events is missing."""
    books = _sorted_by_category(groups)
    periods = {period_of(event.start) for event in books.total.events}
    return {period: books.statistics(period, period_of) for period in sorted(periods)}


def _hours(time: timedelta) -> Decimal:
    return (Decimal(time // timedelta(microseconds=1)) / _HOUR).quantize(_CENT, ROUND_HALF_EVEN)


@dataclass(slots=True)
class _Events:
    """The events of one total."""

    events: list[CountedEvent] = field(default_factory=list)
    _tallies: dict[date | None, Tally] | None = None

    def tally(self, period: date | None = None, period_of: PeriodOf | None = None) -> Tally:
        """The total of all events, or of those that start in the period."""
        if self._tallies is None:
            self._tallies = self._add_up(period_of)
        return self._tallies.get(period, Tally())

    def _add_up(self, period_of: PeriodOf | None) -> dict[date | None, Tally]:
        count: Counter[date | None] = Counter()
        time: defaultdict[date | None, timedelta] = defaultdict(timedelta)
        net: defaultdict[date | None, timedelta] = defaultdict(timedelta)
        covered: datetime | None = None
        for event in sorted(self.events, key=lambda each: (each.start, each.end)):
            period = period_of(event.start) if period_of is not None else None
            count[period] += 1
            time[period] += event.end - event.start
            begin = event.start if covered is None else max(event.start, covered)
            if event.end > begin:
                net[period] += event.end - begin
            covered = event.end if covered is None else max(covered, event.end)
        return {period: Tally(count[period], time[period], net[period]) for period in count}


@dataclass(slots=True)
class _Line:
    """The events of one customer and billing type, by the spelling of their category."""

    all: _Events = field(default_factory=_Events)
    spelled: defaultdict[Category, list[CountedEvent]] = field(default_factory=lambda: defaultdict(list))

    def add(self, category: Category, events: Sequence[CountedEvent]) -> None:
        self.all.events += events
        self.spelled[category] += events

    def tally(self, period: date | None, period_of: PeriodOf | None) -> CustomerTally | None:
        """The total, or None if the period has no such event."""
        found = self.all.tally(period, period_of)
        if not found.count:
            return None
        spelling = min(self.spelled.items(), key=lambda item: (-len(item[1]), item[0].customer))[0]
        return CustomerTally(spelling.customer, spelling.billing_type, found, spelling.special)


@dataclass(slots=True)
class _Books:
    """The events of a range, sorted by the meaning of their categories."""

    lines: defaultdict[str, _Line] = field(default_factory=lambda: defaultdict(_Line))
    states: dict[CategoryState, _Events] = field(
        default_factory=lambda: {state: _Events() for state in CategoryState}
    )
    special: _Events = field(default_factory=_Events)
    uncategorised: _Events = field(default_factory=_Events)
    source_deleted: _Events = field(default_factory=_Events)
    billing: dict[BillingType, _Events] = field(
        default_factory=lambda: {billing_type: _Events() for billing_type in BillingType}
    )
    total: _Events = field(default_factory=_Events)

    def statistics(self, period: date | None, period_of: PeriodOf | None) -> CategoryStatistics:
        lines = [line.tally(period, period_of) for _, line in sorted(self.lines.items())]
        states = {state: events.tally(period, period_of) for state, events in self.states.items()}
        return CategoryStatistics(
            ambiguous=states[CategoryState.AMBIGUOUS],
            lines=tuple(line for line in lines if line is not None),
            personal=states[CategoryState.PERSONAL],
            invalid=states[CategoryState.INVALID],
            special=self.special.tally(period, period_of),
            uncategorised=self.uncategorised.tally(period, period_of),
            source_deleted=self.source_deleted.tally(period, period_of),
            billable=self.billing[BillingType.BILLABLE].tally(period, period_of),
            non_billable=self.billing[BillingType.NON_BILLABLE].tally(period, period_of),
            total=self.total.tally(period, period_of),
        )


def _sorted_by_category(groups: Iterable[CategoryGroup]) -> _Books:
    books = _Books()
    for status, events in groups:
        books.total.events += events
        books.states[status.state].events += events
        books.source_deleted.events += [event for event in events if event.source_deleted]
        category = status.category
        if category is not None:
            books.lines[category.identity].add(category, events)
            books.billing[category.billing_type].events += events
            if category.special is not None:
                books.special.events += events
        elif status.state is not CategoryState.AMBIGUOUS:
            books.uncategorised.events += events
    return books
