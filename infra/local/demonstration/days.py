"""The days the demonstration covers."""

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def first_of_month(day: date) -> date:
    """First day of the month of ``day``."""
    return day.replace(day=1)


def first_of_previous_month(day: date) -> date:
    """First day of the month before that of ``day``."""
    return first_of_month(first_of_month(day) - timedelta(days=1))


def last_of_month(day: date) -> date:
    """Last day of the month of ``day``."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def weekdays(first: date, last: date) -> Iterator[date]:
    """Mondays to Fridays from ``first`` to ``last``, both included."""
    for day in every_day(first, last):
        if day.weekday() < 5:
            yield day


def every_day(first: date, last: date) -> Iterator[date]:
    """Each day from ``first`` to ``last``, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def on_or_after(day: date, weekday: int) -> date:
    """The first such weekday (0 is Monday) on or after ``day``."""
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def last_clock_change(before: date, zone_name: str) -> date | None:
    """The local date of the last change of the zone's UTC offset before ``before``; None within 400 days."""
    zone = ZoneInfo(zone_name)
    for number in range(1, 400):
        day = before - timedelta(days=number)
        following = day + timedelta(days=1)
        if _offset_at_start(day, zone) != _offset_at_start(following, zone):
            return day
    return None


def _offset_at_start(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(0), zone).astimezone(UTC).astimezone(zone).utcoffset()
