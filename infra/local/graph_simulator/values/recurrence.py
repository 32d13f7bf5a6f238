"""Series expansion: the dates of a recurrence, as Outlook computes them.

Source: Graph documentation, recurrencePattern and recurrenceRange (all six patterns, three ranges). Dates are
in the series' own zone; times of day are the caller's business.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from infra.local.graph_simulator.values.errors import invalid_value

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = ("first", "second", "third", "fourth", "last")
PATTERN_TYPES = ("daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly")
RANGE_TYPES = ("endDate", "noEnd", "numbered")
_LAST_YEAR = 4500
_NO_DATE = "0001-01-01"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A validated pattern and range. Weekdays are 0 for Monday; ``end`` is inclusive."""

    kind: str
    interval: int
    weekdays: frozenset[int]
    day_of_month: int
    month: int
    index: str
    first_weekday: int
    range_kind: str
    start: date
    end: date | None
    count: int | None
    zone: str | None

    @property
    def pattern(self) -> tuple[object, ...]:
        """What decides on which days of an endless series it occurs, its start left out."""
        days = self.weekdays
        match self.kind:
            case "daily":
                return self.kind, self.interval
            case "weekly":
                # The first day of the week matters where weeks are left out.
                return self.kind, self.interval, days, self.first_weekday if self.interval > 1 else None
            case "absoluteMonthly":
                return self.kind, self.interval, self.day_of_month
            case "relativeMonthly":
                return self.kind, self.interval, days, self.index
            case "absoluteYearly":
                return self.kind, self.interval, self.month, self.day_of_month
        return self.kind, self.interval, self.month, days, self.index

    @property
    def range(self) -> tuple[object, ...]:
        """Where the series ends; the start is the event's."""
        return self.range_kind, self.end, self.count

    def dates(self) -> Iterator[date]:
        """The dates of the series in order; endless for ``noEnd``."""
        produced = 0
        for day in self._candidates():
            if day < self.start:
                continue
            if self.end is not None and day > self.end:
                return
            yield day
            produced += 1
            if produced == self.count:
                return

    def _candidates(self) -> Iterator[date]:
        if self.kind == "daily":
            return self._daily()
        if self.kind == "weekly":
            return self._weekly()
        return self._monthly()

    def _daily(self) -> Iterator[date]:
        day = self.start
        while day.year < _LAST_YEAR:
            yield day
            day += timedelta(days=self.interval)

    def _weekly(self) -> Iterator[date]:
        week = self.start - timedelta(days=(self.start.weekday() - self.first_weekday) % 7)
        offsets = sorted((day - self.first_weekday) % 7 for day in self.weekdays)
        while week.year < _LAST_YEAR:
            for offset in offsets:
                yield week + timedelta(days=offset)
            week += timedelta(weeks=self.interval)

    def _monthly(self) -> Iterator[date]:
        yearly = self.kind.endswith("Yearly")
        step = self.interval * (12 if yearly else 1)
        first = self.month if yearly else self.start.month
        position = self.start.year * 12 + first - 1
        while position < _LAST_YEAR * 12:
            year, month = position // 12, position % 12 + 1
            yield self._day_in(year, month)
            position += step

    def _day_in(self, year: int, month: int) -> date:
        last = monthrange(year, month)[1]
        if self.kind.startswith("absolute"):
            return date(year, month, min(self.day_of_month, last))
        matching = [n for n in range(1, last + 1) if date(year, month, n).weekday() in self.weekdays]
        return date(year, month, matching[-1 if self.index == "last" else INDEXES.index(self.index)])

    def as_json(self, default_zone: str) -> dict[str, Any]:
        """The patternedRecurrence Graph returns: every member present, unused ones at their defaults."""
        return {
            "pattern": {
                "type": self.kind,
                "interval": self.interval,
                "month": self.month,
                "dayOfMonth": self.day_of_month,
                "daysOfWeek": [DAYS[day] for day in sorted(self.weekdays, key=lambda day: (day + 1) % 7)],
                "firstDayOfWeek": DAYS[self.first_weekday],
                "index": self.index,
            },
            "range": {
                "type": self.range_kind,
                "startDate": self.start.isoformat(),
                "endDate": self.end.isoformat() if self.end else _NO_DATE,
                "recurrenceTimeZone": self.zone or default_zone,
                "numberOfOccurrences": self.count or 0,
            },
        }


def parse_recurrence(value: Any, first_day: date) -> Recurrence:
    """Validate a patternedRecurrence whose event starts on ``first_day``; raises 400 as Graph does."""
    if not isinstance(value, dict):
        raise invalid_value("recurrence must be an object.")
    pattern, span = value.get("pattern"), value.get("range")
    if not isinstance(pattern, dict) or not isinstance(span, dict):
        raise invalid_value("recurrence needs a pattern and a range.")
    kind = pattern.get("type")
    if kind not in PATTERN_TYPES:
        raise invalid_value(f"Unknown recurrence pattern type {kind!r}.")
    weekdays = _weekdays(pattern, needed=kind in ("weekly", "relativeMonthly", "relativeYearly"))
    index = pattern.get("index") or "first"
    if index not in INDEXES:
        raise invalid_value(f"Unknown recurrence index {index!r}.")
    absolute = kind.startswith("absolute")
    yearly = kind.endswith("Yearly")
    first_weekday = _weekday(pattern.get("firstDayOfWeek") or "sunday")
    range_kind, start, end, count = _range(span, first_day)
    zone = span.get("recurrenceTimeZone")
    if zone is not None and not isinstance(zone, str):
        raise invalid_value("recurrenceTimeZone must be a string.")
    return Recurrence(
        kind=kind,
        interval=_number(pattern, "interval", 1, 999, default=None),
        weekdays=weekdays,
        day_of_month=_number(pattern, "dayOfMonth", 1, 31, default=None if absolute else 0),
        month=_number(pattern, "month", 1, 12, default=None if yearly else 0),
        index=index,
        first_weekday=first_weekday,
        range_kind=range_kind,
        start=start,
        end=end,
        count=count,
        zone=zone or None,
    )


def _range(span: dict[str, Any], first_day: date) -> tuple[str, date, date | None, int | None]:
    kind = span.get("type")
    if kind not in RANGE_TYPES:
        raise invalid_value(f"Unknown recurrence range type {kind!r}.")
    start = _date(span, "startDate")
    if start != first_day:
        raise invalid_value("The recurrence range's startDate must be the date of the event's start.")
    end = _date(span, "endDate") if kind == "endDate" else None
    if end is not None and end < start:
        raise invalid_value("The recurrence range ends before it starts.")
    count = _number(span, "numberOfOccurrences", 1, 999, default=None) if kind == "numbered" else None
    return kind, start, end, count


def _weekdays(pattern: dict[str, Any], *, needed: bool) -> frozenset[int]:
    names = pattern.get("daysOfWeek") or []
    if not isinstance(names, list) or (needed and not names):
        raise invalid_value("daysOfWeek is required for this pattern.")
    return frozenset(_weekday(name) for name in names)


def _weekday(name: Any) -> int:
    if not isinstance(name, str) or name.lower() not in DAYS:
        raise invalid_value(f"Unknown day of week {name!r}.")
    return DAYS.index(name.lower())


def _number(source: dict[str, Any], name: str, low: int, high: int, *, default: int | None) -> int:
    value = source.get(name)
    if default is not None and (value is None or value == default):
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise invalid_value(f"{name} must be a number from {low} to {high}.")
    return value


def _date(source: dict[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(source[name])
    except (KeyError, TypeError, ValueError):
        raise invalid_value(f"{name} must be a date (YYYY-MM-DD).") from None
