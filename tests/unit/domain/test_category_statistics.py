"""Hours by customer and by period, held against a count of single minutes (domain.md 2.18, 3.3, 3.5)."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.categories.category import classify
from shared.domain.categories.statistics import (
    CategoryStatistics,
    CountedEvent,
    Tally,
    category_statistics,
    statistics_by_period,
    tally,
)
from shared.domain.times.periods import PeriodKind, first_day_of, local_day, period, periods_between

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
#: Two days before the clocks change in Berlin.
START = datetime(2026, 3, 27, 20, tzinfo=UTC)
ACME, BETA, BREAK = "Acme - billable", "Beta - billable", "Break - non-billable"
LABELS = ((ACME,), ("billable - ACME", "Online"), (BETA,), (BREAK,), ("Red",), (), (ACME, BETA), (BETA, ACME))
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia")

type Event = tuple[tuple[str, ...], CountedEvent]


def event(start: float, hours: float, *, source_deleted: bool = False) -> CountedEvent:
    begin = START + start * HOUR
    return CountedEvent(begin, begin + hours * HOUR, source_deleted)


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Up to twelve events over four days, to the minute, each up to 30 hours long."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        begin = START + draw(st.integers(0, 4 * 24 * 12)) * 5 * MINUTE
        end = begin + draw(st.integers(0, 30 * 60)) * MINUTE
        found.append((draw(st.sampled_from(LABELS)), CountedEvent(begin, end, draw(st.booleans()))))
    return found


def minutes_of(counted: CountedEvent) -> list[datetime]:
    """Every minute that the event covers."""
    return [counted.start + number * MINUTE for number in range((counted.end - counted.start) // MINUTE)]


def by_hand(counted: Iterable[CountedEvent], day_of: Callable[[datetime], date]) -> dict[date, Tally]:
    """Minute by minute: gross of the day of the event's start, net of the event that starts first."""
    whose: dict[datetime, date] = {}
    count: defaultdict[date, int] = defaultdict(int)
    gross: defaultdict[date, int] = defaultdict(int)
    for each in sorted(counted, key=lambda each: each.start):
        day = day_of(each.start)
        count[day] += 1
        for minute in minutes_of(each):
            gross[day] += 1
            whose.setdefault(minute, day)
    net = list(whose.values())
    return {day: Tally(count[day], gross[day] * MINUTE, net.count(day) * MINUTE) for day in count}


def once(_: datetime) -> date:
    return date.min


def total(counted: Iterable[CountedEvent]) -> Tally:
    return by_hand(counted, once).get(date.min, Tally())


def grouped(given_events: list[Event]) -> list[tuple[Any, ...]]:
    groups: defaultdict[tuple[str, ...], list[CountedEvent]] = defaultdict(list)
    for labels, counted in given_events:
        groups[labels].append(counted)
    return [(classify(labels), counted) for labels, counted in groups.items()]


def with_labels(given_events: list[Event], *wanted: tuple[str, ...]) -> list[CountedEvent]:
    return [counted for labels, counted in given_events if labels in wanted]


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(given_events=events())
def test_every_total_is_what_a_count_of_minutes_says(given_events: list[Event]) -> None:
    found = category_statistics(grouped(given_events))
    everything = [counted for _, counted in given_events]
    assert found.total == tally(everything) == total(everything)
    assert found.ambiguous == total(with_labels(given_events, (ACME, BETA), (BETA, ACME)))
    assert found.personal == total(with_labels(given_events, ()))
    assert found.invalid == total(with_labels(given_events, ("Red",)))
    assert found.uncategorised == total(with_labels(given_events, (), ("Red",)))
    assert found.special == total(with_labels(given_events, (BREAK,)))
    assert found.source_deleted == total(each for each in everything if each.source_deleted)
    lines = {line.customer.casefold(): line.tally for line in found.lines}
    assert lines == {
        name: counted
        for name, counted in (
            ("acme", total(with_labels(given_events, *LABELS[:2]))),
            ("beta", total(with_labels(given_events, (BETA,)))),
            ("break", total(with_labels(given_events, (BREAK,)))),
        )
        if counted.count
    }


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(given_events=events(), kind=st.sampled_from(PeriodKind), zone=st.sampled_from(ZONES).map(ZoneInfo))
def test_every_period_is_what_a_count_of_minutes_says(
    given_events: list[Event], kind: PeriodKind, zone: ZoneInfo
) -> None:
    def period_of(instant: datetime) -> date:
        return first_day_of(kind, local_day(instant, zone))

    found = statistics_by_period(grouped(given_events), period_of)
    whole = category_statistics(grouped(given_events))
    assert {day: each.total for day, each in found.items()} == by_hand(
        [counted for _, counted in given_events], period_of
    )
    ambiguous = by_hand(with_labels(given_events, (ACME, BETA), (BETA, ACME)), period_of)
    assert {day: each.ambiguous for day, each in found.items() if each.ambiguous.count} == ambiguous
    for name in ("ambiguous", "personal", "invalid", "special", "uncategorised", "source_deleted", "total"):
        assert added_up(getattr(each, name) for each in found.values()) == getattr(whole, name), name
    for line in whole.lines:
        of_periods = [
            each.tally for day in found.values() for each in day.lines if named(each) == named(line)
        ]
        assert added_up(of_periods) == line.tally


def named(line: Any) -> tuple[str, str]:
    return line.customer.casefold(), line.billing_type


def added_up(tallies: Iterable[Tally]) -> Tally:
    found = list(tallies)
    return Tally(
        sum(each.count for each in found),
        sum((each.time for each in found), timedelta()),
        sum((each.net for each in found), timedelta()),
    )


@settings(deadline=None, max_examples=60)
@given(given_events=events())
def test_gross_hours_of_distinct_groups_add_up_to_the_total(given_events: list[Event]) -> None:
    found = category_statistics(grouped(given_events))
    parts = [found.ambiguous, found.personal, found.invalid, *(line.tally for line in found.lines)]
    assert sum(each.count for each in parts) == found.total.count == len(given_events)
    assert sum((each.time for each in parts), timedelta()) == found.total.time
    assert category_statistics(reversed(grouped(given_events))) == found


def test_an_event_across_midnight_belongs_to_its_first_day_with_all_its_hours() -> None:
    """Monday 22:00 to 02:00 and Tuesday 01:00 to 03:00: gross 4 and 2 hours, net 4 and 1 of 5."""
    monday = datetime(2026, 3, 2, 22, tzinfo=UTC)
    night = CountedEvent(monday, monday + 4 * HOUR)
    early = CountedEvent(monday + 3 * HOUR, monday + 5 * HOUR)
    found = statistics_by_period([(classify([ACME]), [early, night])], lambda instant: instant.date())
    assert {day.isoformat(): (each.total.hours, each.total.net_hours) for day, each in found.items()} == {
        "2026-03-02": (Decimal("4.00"), Decimal("4.00")),
        "2026-03-03": (Decimal("2.00"), Decimal("1.00")),
    }
    assert tally([night, early]).net_hours == Decimal("5.00")


def test_hours_by_customer_and_billing_type_under_the_spelling_used_most() -> None:
    found = category_statistics(
        [
            (classify(["Beta - billable"]), [event(0, 1)]),
            (classify(["ACME - billable"]), [event(0, 1)]),
            (classify(["Acme - billable"]), [event(0, 1), event(0.5, 1 / 3)]),
            (classify(["Acme - non-billable"]), [event(5, 1)]),
            (classify(["Acme - billable", "Beta - billable"]), [event(6, 9, source_deleted=True)]),
        ]
    )
    assert [
        (line.customer, line.billing_type, line.tally.hours, line.tally.net_hours) for line in found.lines
    ] == [
        ("Acme", "billable", Decimal("2.33"), Decimal("1.00")),
        ("Acme", "non-billable", Decimal("1.00"), Decimal("1.00")),
        ("Beta", "billable", Decimal("1.00"), Decimal("1.00")),
    ]
    assert (found.ambiguous.hours, found.source_deleted.count) == (Decimal("9.00"), 1)
    assert category_statistics([]) == CategoryStatistics()


@pytest.mark.parametrize(
    ("kind", "day", "name", "first", "last"),
    [
        (PeriodKind.DAY, "2026-03-04", "2026-03-04", "2026-03-04", "2026-03-04"),
        (PeriodKind.WEEK, "2026-03-04", "2026-W10", "2026-03-02", "2026-03-08"),
        (PeriodKind.WEEK, "2027-01-03", "2026-W53", "2026-12-28", "2027-01-03"),
        (PeriodKind.WEEK, "2024-12-30", "2025-W01", "2024-12-30", "2025-01-05"),
        (PeriodKind.MONTH, "2024-02-29", "2024-02", "2024-02-01", "2024-02-29"),
        (PeriodKind.MONTH, "2026-12-31", "2026-12", "2026-12-01", "2026-12-31"),
    ],
)
def test_periods_are_those_of_iso_8601(kind: PeriodKind, day: str, name: str, first: str, last: str) -> None:
    found = period(kind, first_day_of(kind, date.fromisoformat(day)))
    assert (found.name, str(found.first_day), str(found.last_day)) == (name, first, last)


def test_periods_of_a_range_follow_each_other_without_a_gap() -> None:
    first, last = date(2023, 11, 17), date(2025, 2, 3)
    for kind in PeriodKind:
        found = list(periods_between(kind, first, last))
        assert found[0].first_day <= first
        assert found[-1].last_day >= last
        for each, following in pairwise(found):
            assert each.last_day + timedelta(days=1) == following.first_day
        assert len({each.name for each in found}) == len(found)
