"""Days, ISO weeks and months of a time zone (domain.md 2.2, 3.5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


class PeriodKind(StrEnum):
    """The kind of a period. A week is an ISO 8601 week and begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole local days, both ends included. ``name`` follows ISO 8601: 2026-03-02, 2026-W10, 2026-03."""

    name: str
    first_day: date
    last_day: date


def first_day_of(kind: PeriodKind, day: date) -> date:
    """The first day of the period that contains the day."""
    match kind:
        case PeriodKind.DAY:
            return day
        case PeriodKind.WEEK:
            return day - timedelta(days=day.weekday())
        case PeriodKind.MONTH:
            return day.replace(day=1)


def period(kind: PeriodKind, first_day: date) -> Period:
    """The period that begins on this day."""
    match kind:
        case PeriodKind.DAY:
            return Period(first_day.isoformat(), first_day, first_day)
        case PeriodKind.WEEK:
            year, week, _ = first_day.isocalendar()
            return Period(f"{year:04}-W{week:02}", first_day, first_day + 6 * _DAY)
        case PeriodKind.MONTH:
            following = (first_day + 31 * _DAY).replace(day=1)
            return Period(f"{first_day:%Y-%m}", first_day, following - _DAY)


def periods_between(kind: PeriodKind, first: date, last: date) -> Iterator[Period]:
    """The periods that contain the days from ``first`` to ``last``, in order."""
    day = first_day_of(kind, first)
    while day <= last:
        found = period(kind, day)
        yield found
        day = found.last_day + _DAY


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The local date of an instant."""
    return instant.astimezone(zone).date()
