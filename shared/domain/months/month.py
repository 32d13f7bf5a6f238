"""A person's month: hours by week, day and customer, and missing working hours (domain.md 2.20).

``counting`` decides what counts, and ``category_statistics`` adds it up. This module only groups the result
by week, day and customer.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.domain.appointments.counting import WhyNot
from shared.domain.categories.category import (
    BillingType,
    CategoryState,
    CategoryStatus,
    Special,
    classify,
    customer_key,
)
from shared.domain.categories.statistics import (
    CategoryGroup,
    CategoryStatistics,
    CountedEvent,
    Tally,
    category_statistics,
    statistics_by_period,
    tally,
    tally_by_period,
)
from shared.domain.planning.modifications import Modification
from shared.domain.times.periods import PeriodKind, first_day_of, local_day, period, periods_between

_DAY: Final = timedelta(days=1)
_NOTHING: Final = Tally()
#: All-day events with this status turn a working day into a day of absence.
_ABSENT: Final = "oof"


@dataclass(frozen=True, slots=True)
class MonthEvent:
    """A source event as the archive holds it. Times are UTC (domain.md 2.18)."""

    #: None if it is not written.
    id: UUID | None
    configuration_id: UUID
    key: str
    subject: str
    start: datetime
    end: datetime
    is_all_day: bool = False
    categories: tuple[str, ...] = ()
    #: None if it counts.
    why_not: WhyNot | None = None
    #: Only its times are known (6.3).
    hidden: bool = False
    show_as: str = "busy"
    source_deleted: bool = False
    unresolved: bool = False
    #: Its start before ``modifications``. None if unknown.
    source_start: datetime | None = None
    #: Its end before ``modifications``. None if unknown.
    source_end: datetime | None = None
    modifications: tuple[Modification, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it counts as time."""
        return self.why_not is None

    @property
    def status(self) -> CategoryStatus:
        """The meaning of its categories."""
        return classify(self.categories)

    def day(self, zone: ZoneInfo) -> date:
        """The local day to which it belongs. For an all-day event, its own date (domain.md 2.2)."""
        return self.start.date() if self.is_all_day else local_day(self.start, zone)


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """On which days (0 is Monday) and how long a person works.

    Days before ``first`` are not archived, and days from ``until`` on are not over. They have no missing
    hours.
    """

    weekdays: frozenset[int]
    each_day: timedelta
    first: date
    until: date


@dataclass(frozen=True, slots=True)
class Figures:
    """The totals of a time range."""

    total: Tally = _NOTHING
    billable: Tally = _NOTHING
    non_billable: Tally = _NOTHING
    #: Personal and invalid events.
    without_category: Tally = _NOTHING
    ambiguous: Tally = _NOTHING
    #: Another person's private events, in no other number.
    private: Tally = _NOTHING


@dataclass(frozen=True, slots=True)
class Week:
    """The days of an ISO week that are in the month, both ends included."""

    name: str
    first_day: date
    last_day: date
    figures: Figures


@dataclass(frozen=True, slots=True)
class Day:
    """A day. ``missing`` is the working time of a past day that no counted event covers."""

    day: date
    figures: Figures
    workday: bool
    absent: bool
    missing: timedelta


@dataclass(frozen=True, slots=True)
class Customer:
    """The work for one customer, and its net hours in the previous month."""

    customer: str
    special: Special | None
    billable: Tally
    non_billable: Tally
    total: Tally
    before: Tally


@dataclass(frozen=True, slots=True)
class Month:
    """A month by week, day and customer (most hours first). ``before`` is the previous month."""

    first_day: date
    last_day: date
    figures: Figures
    before: Figures
    weeks: tuple[Week, ...]
    days: tuple[Day, ...]
    customers: tuple[Customer, ...]

    @property
    def missing(self) -> timedelta:
        """The missing working time of all days."""
        return sum((day.missing for day in self.days), timedelta())


def month_of(
    first_day: date,
    events: Sequence[MonthEvent],
    before: Sequence[MonthEvent],
    zone: ZoneInfo,
    working: WorkingTime,
) -> Month:
    """The month from ``first_day`` on, from events that start in it or in the previous month (``before``).

    An event belongs to the day on which it starts in ``zone``, with all its hours.
    """
    last_day = period(PeriodKind.MONTH, first_day).last_day
    groups, private = _groups(events), _private(events)
    groups_before = _groups(before)

    def by(kind: PeriodKind) -> dict[date, Figures]:
        def period_of(instant: datetime) -> date:
            # An event stays in the month if either its own zone or this zone puts it there.
            return first_day_of(kind, min(max(local_day(instant, zone), first_day), last_day))

        found = statistics_by_period(groups, period_of)
        hidden = tally_by_period(private, period_of)
        return {
            each: _figures(found.get(each, CategoryStatistics()), hidden.get(each, _NOTHING))
            for each in found.keys() | hidden.keys()
        }

    weekly, daily = by(PeriodKind.WEEK), by(PeriodKind.DAY)
    statistics = category_statistics(groups)
    return Month(
        first_day,
        last_day,
        figures=_figures(statistics, tally(private)),
        before=_figures(category_statistics(groups_before), tally(_private(before))),
        weeks=tuple(
            Week(
                each.name,
                max(each.first_day, first_day),
                min(each.last_day, last_day),
                weekly.get(each.first_day, Figures()),
            )
            for each in periods_between(PeriodKind.WEEK, first_day, last_day)
        ),
        days=tuple(_days(first_day, last_day, daily, [*events, *before], zone, working)),
        customers=_customers(groups, groups_before),
    )


def counted(event: MonthEvent) -> CountedEvent:
    """The event in the form for totals."""
    return CountedEvent(event.start, event.end, event.source_deleted)


def _groups(events: Iterable[MonthEvent]) -> list[CategoryGroup]:
    sorted_out: dict[tuple[str, ...], list[CountedEvent]] = {}
    for event in events:
        if event.counts and not event.hidden:
            sorted_out.setdefault(event.categories, []).append(counted(event))
    return [(classify(categories), same) for categories, same in sorted_out.items()]


def _private(events: Iterable[MonthEvent]) -> list[CountedEvent]:
    return [counted(event) for event in events if event.counts and event.hidden]


def _figures(found: CategoryStatistics, private: Tally) -> Figures:
    return Figures(
        found.total, found.billable, found.non_billable, found.uncategorised, found.ambiguous, private
    )


def _days(
    first_day: date,
    last_day: date,
    figures: dict[date, Figures],
    events: Sequence[MonthEvent],
    zone: ZoneInfo,
    working: WorkingTime,
) -> Iterable[Day]:
    everything = [counted(event) for event in events if event.counts]
    covered = tally_by_period(everything, lambda instant: local_day(instant, zone))
    absences = {day for event in events if _is_absence(event) for day in _dates(event)}
    for number in range((last_day - first_day).days + 1):
        day = first_day + number * _DAY
        workday, absent = day.weekday() in working.weekdays, day in absences
        missing = timedelta()
        if workday and not absent and working.first <= day < working.until:
            missing = max(missing, working.each_day - covered.get(day, _NOTHING).net)
        yield Day(day, figures.get(day, Figures()), workday, absent, missing)


def _is_absence(event: MonthEvent) -> bool:
    return event.why_not is WhyNot.ALL_DAY and event.show_as == _ABSENT and not event.hidden


def _dates(event: MonthEvent) -> Iterable[date]:
    """The dates of an all-day event. Its end is exclusive."""
    for number in range(max((event.end.date() - event.start.date()).days, 1)):
        yield event.start.date() + number * _DAY


@dataclass(slots=True)
class _Account:
    """The running total of one customer."""

    groups: list[CategoryGroup] = field(default_factory=list)
    events: list[CountedEvent] = field(default_factory=list)
    before: list[CountedEvent] = field(default_factory=list)


def _customers(groups: Iterable[CategoryGroup], before: Iterable[CategoryGroup]) -> tuple[Customer, ...]:
    accounts: dict[tuple[str, Special | None], _Account] = {}
    for status, events in groups:
        if (category := status.category) is not None:
            account = accounts.setdefault((category.key, category.special), _Account())
            account.groups.append((status, events))
            account.events += events
    for status, events in before:
        if (category := status.category) is not None:
            accounts.setdefault((category.key, category.special), _Account()).before += events
            if not accounts[category.key, category.special].groups:
                accounts[category.key, category.special].groups = [(status, ())]
    found = [_customer(account, special) for (_, special), account in accounts.items()]
    return tuple(
        sorted(found, key=lambda each: (-each.total.net, customer_key(each.customer), str(each.special)))
    )


def _customer(account: _Account, special: Special | None) -> Customer:
    statistics = category_statistics(account.groups)
    spellings: Counter[str] = Counter()
    for status, events in account.groups:
        if status.category is not None:
            spellings[status.category.customer] += len(events)
    # Spelled as in the statistics: the most frequent spelling, then the first by alphabet.
    spelled = min(spellings, key=lambda each: (-spellings[each], each))
    return Customer(
        spelled,
        special,
        statistics.billable,
        statistics.non_billable,
        tally(account.events),
        tally(account.before),
    )


def state_of(event: MonthEvent) -> CategoryState | None:
    """The verdict on its categories. None for a hidden event."""
    return None if event.hidden else event.status.state


def billing_of(event: MonthEvent) -> BillingType | None:
    """Its billing type, if it has exactly one valid category."""
    category = None if event.hidden else event.status.category
    return category.billing_type if category is not None else None
