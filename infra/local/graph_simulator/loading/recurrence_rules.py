"""RRULE (RFC 5545 3.3.10) to wall-clock times, from where they are wanted, in bounded time.

``dateutil`` counts from DTSTART and finds no end where nothing matches. Here the first period of ``FREQ``
that matters is computed; only a rule with COUNT is counted from its start. Every search has a budget.
"""

from bisect import bisect_left
from calendar import isleap, monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import product

_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_SECONDS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_RANGES = {
    "BYSECOND": (0, 60, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
_LARGEST_INTERVAL = 100_000_000
_FURTHER = timedelta(days=3650)

type Parts = dict[str, list[str]]


class TooOftenError(ValueError):
    """A rule whose occurrences cannot be searched for in bounded time."""


@dataclass(slots=True)
class Budget:
    """How many steps one search may take, and how many the long ones of a file together."""

    left: int = 1_200_000
    each: int = 250_000
    #: More than a daily series of a lifetime takes.
    long: int = 60_000

    def spend(self, spent: int, steps: int) -> int:
        """The steps of a rule so far; raises ``TooOftenError`` when they are too many."""
        if spent > self.long:
            self.left -= steps
        if spent + steps > self.each or self.left < 0:
            raise TooOftenError("it recurs too often to be counted")
        return spent + steps


def rule_parts(text: str) -> Parts:
    """The parts of an RRULE by upper-case name; raises ``ValueError``."""
    parts: Parts = {}
    for piece in text.strip().strip(";").split(";"):
        name, equals, value = piece.partition("=")
        name, values = name.strip().upper(), [each.strip().upper() for each in value.split(",")]
        if not equals or not all(values) or name in parts:
            raise ValueError(f"recurrence rule {text[:80]!r} cannot be read")
        parts[name] = values
    if parts.get("FREQ", [""])[0] not in _FREQUENCIES:
        raise ValueError(f"recurrence rule {text[:80]!r} has no FREQ that is known")
    return parts


class RecurrenceRule:
    """The occurrences of one rule that starts at a wall-clock time."""

    def __init__(self, parts: Parts, start: datetime, until: datetime | None, budget: Budget) -> None:
        """``until`` is UNTIL as wall-clock time of the start's zone. Raises ``ValueError``."""
        self.parts = parts
        self.start = start
        self.until = until
        self._budget = budget
        self.frequency = parts["FREQ"][0]
        self.interval = _number(parts, "INTERVAL") or 1
        self.count = _number(parts, "COUNT")
        if parts.get("WKST", ["MO"])[0] not in _CODES:
            raise ValueError("its WKST is no day of the week")
        self.first_weekday = _CODES.index(parts.get("WKST", ["MO"])[0])
        self._numbers = {name: _numbers(parts, name) for name in _RANGES}
        self.weekdays, self._nth = _weekdays(parts, ordinal=self.frequency in ("YEARLY", "MONTHLY"))
        self._month_days = self._numbers["BYMONTHDAY"]
        self._months = self._numbers["BYMONTH"]
        self._complete()
        self._times = self._times_of_day()
        others = self._month_days or self._months or self._nth
        self._by_weekday_alone = not (others or self._numbers["BYYEARDAY"] or self._numbers["BYWEEKNO"])
        self._found: list[datetime] | None = None
        self._searched = datetime.min  # noqa: DTZ901 - wall-clock time

    def between(self, first: datetime, last: datetime) -> list[datetime]:
        """The wall-clock starts in ``[first, last)``, in order; raises ``TooOftenError``.

        The start itself is the first of them whatever the rule says, and counts (RFC 5545 3.3.10, 3.8.5.3).
        """
        if self.count is None:
            found = list(self._search(first, last))
            if first <= self.start < last and self.start not in found[:1]:
                found.insert(0, self.start)
            return found
        if self._found is None or self._searched < last:
            # Further than asked for, so that many questions in a row do not count from the start each time.
            further = last if self.frequency in _SECONDS or last.year > 9000 else last + _FURTHER
            self._found = self._counted(further)
            self._searched = further
        return self._found[bisect_left(self._found, first) : bisect_left(self._found, last)]

    def _counted(self, last: datetime) -> list[datetime]:
        found = [self.start]
        for moment in self._search(self.start, last):
            if len(found) >= (self.count or 0):
                break
            if moment != self.start:
                found.append(moment)
        return found

    def _search(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """What the rule itself yields in ``[first, last)``, from its start on."""
        first = max(first, self.start)
        if self.until is not None:
            last = min(last, self.until + timedelta(seconds=1)) if self.until < last else last
        if first >= last:
            return
        spent = 0
        for days, size in self._periods(first.date(), last):
            spent = self._budget.spend(spent, size)
            for moment in self._in_period(days):
                if moment >= last:
                    return
                if moment >= first:
                    spent = self._budget.spend(spent, 1)
                    yield moment

    def _in_period(self, days: list[date]) -> list[datetime]:
        if self.frequency in _SECONDS:
            return [moment for day in days for moment in self._within_day(day)]
        positions = self._numbers["BYSETPOS"]
        if not positions:
            return [datetime.combine(day, each) for day in days for each in self._times]
        size = len(days) * len(self._times)
        chosen = {place - 1 if place > 0 else size + place for place in positions}
        count = len(self._times)
        return [
            datetime.combine(days[place // count], self._times[place % count])
            for place in sorted(chosen)
            if 0 <= place < size
        ]

    # Days

    def _periods(self, first: date, last: datetime) -> Iterator[tuple[list[date], int]]:
        """Days of each period that may lie between ``first`` and ``last``, and what it costs to ask."""
        end = last.date()
        match self.frequency:
            case "YEARLY":
                year = _aligned(self.start.year, first.year, self.interval)
                while year <= min(end.year, 9999):
                    yield self._year_days(year), 30
                    year += self.interval
            case "MONTHLY":
                yield from self._monthly(first, end)
            case "WEEKLY":
                yield from self._weeks(first, end)
            case "DAILY":
                yield from self._single_days(first, end, self.interval)
            case _:
                yield from self._single_days(first, end, 1)

    def _monthly(self, first: date, end: date) -> Iterator[tuple[list[date], int]]:
        month = _aligned(_month_number(self.start), _month_number(first), self.interval)
        while month <= _month_number(end):
            yield self._month_of(month // 12, month % 12 + 1), 5
            month += self.interval

    def _weeks(self, first: date, end: date) -> Iterator[tuple[list[date], int]]:
        start = self.start.toordinal() - (self.start.weekday() - self.first_weekday) % 7
        week = _aligned(start, first.toordinal() - 6, self.interval * 7)
        offsets = sorted((day - self.first_weekday) % 7 for day in self.weekdays or range(7))
        while week <= end.toordinal():
            last = date.max.toordinal()
            days = [date.fromordinal(week + each) for each in offsets if 1 <= week + each < last]
            yield days if self._by_weekday_alone else [day for day in days if self._fits(day)], 2
            week += self.interval * 7

    def _single_days(self, first: date, end: date, step: int) -> Iterator[tuple[list[date], int]]:
        day = _aligned(self.start.toordinal(), first.toordinal(), step)
        every = self._by_weekday_alone and not self.weekdays
        while day <= end.toordinal():
            one = date.fromordinal(day)
            yield [one] if every or self._fits(one) else [], 1
            day += step

    def _year_days(self, year: int) -> list[date]:
        if self._plain_date_of_year():
            return [
                date(year, month, day)
                for month in sorted(self._months)
                for day in _real_days(self._month_days, year, month)
                if not self.weekdays or date(year, month, day).weekday() in self.weekdays
            ]
        months = [
            [date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]
            for month in sorted(self._months) or range(1, 13)
        ]
        days = [day for month in months for day in month]
        nth = self._nth_days(months if self._months else [days])
        return [day for day in days if self._fits(day, nth)]

    def _plain_date_of_year(self) -> bool:
        others = self._numbers["BYWEEKNO"] or self._numbers["BYYEARDAY"] or self._nth
        return bool(self._months and self._month_days and not others)

    def _month_of(self, year: int, month: int) -> list[date]:
        if self._months and month not in self._months:
            return []
        days = [date(year, month, each) for each in range(1, monthrange(year, month)[1] + 1)]
        nth = self._nth_days([days])
        return [day for day in days if self._fits(day, nth)]

    def _nth_days(self, spans: list[list[date]]) -> set[date]:
        """The days that a BYDAY with a number names in each span of days."""
        found: set[date] = set()
        for (number, weekday), days in product(self._nth, spans):
            matching = [day for day in days if day.weekday() == weekday]
            place = number - 1 if number > 0 else len(matching) + number
            if 0 <= place < len(matching):
                found.add(matching[place])
        return found

    def _fits(self, day: date, nth: set[date] | None = None) -> bool:
        if self._months and day.month not in self._months:
            return False
        if (self.weekdays or self._nth) and not (day.weekday() in self.weekdays or (nth and day in nth)):
            return False
        if self._month_days:
            length = monthrange(day.year, day.month)[1]
            if day.day not in self._month_days and day.day - length - 1 not in self._month_days:
                return False
        year_days = self._numbers["BYYEARDAY"]
        if year_days:
            number, length = day.timetuple().tm_yday, 366 if isleap(day.year) else 365
            if number not in year_days and number - length - 1 not in year_days:
                return False
        return not self._numbers["BYWEEKNO"] or self._in_week(day)

    def _in_week(self, day: date) -> bool:
        """Whether the week of a day is one of BYWEEKNO; week 1 is the first with four days in its year."""
        monday = day.toordinal() - (day.weekday() - self.first_weekday) % 7
        year = date.fromordinal(min(max(monday + 3, 1), date.max.toordinal())).year
        first, following = (_first_week(each, self.first_weekday) for each in (year, min(year + 1, 9999)))
        number, weeks = (monday - first) // 7 + 1, (following - first) // 7
        return number in self._numbers["BYWEEKNO"] or number - weeks - 1 in self._numbers["BYWEEKNO"]

    # Times of day

    def _within_day(self, day: date) -> Iterator[datetime]:
        """Starts of an hourly, minutely or secondly rule on one day."""
        unit = _SECONDS[self.frequency]
        midnight = datetime.combine(day, time.min)
        origin = self.start
        if unit > 1:
            origin = origin.replace(second=0, minute=0 if unit == 3600 else origin.minute)
        passed = int((midnight - origin).total_seconds()) // unit
        first = -passed if passed < 0 else -passed % self.interval
        hours, minutes, seconds = (self._numbers[name] for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
        spent = 0
        for step in self._steps(first, unit, hours):
            spent = self._budget.spend(spent, 1)
            at = midnight + timedelta(seconds=step * unit)
            if unit < 3600 and minutes and at.minute not in minutes:
                continue
            if unit == 1:
                if not seconds or at.second in seconds:
                    yield at
                continue
            inner = [
                at.replace(minute=minute if unit == 3600 else at.minute, second=min(second, 59))
                for minute in (sorted(minutes) or [self.start.minute] if unit == 3600 else [at.minute])
                for second in sorted(seconds) or [self.start.second]
            ]
            positions = self._numbers["BYSETPOS"]
            chosen = {place - 1 if place > 0 else len(inner) + place for place in positions}
            yield from (each for place, each in enumerate(inner) if not positions or place in chosen)

    def _steps(self, first: int, unit: int, hours: frozenset[int]) -> Iterator[int]:
        """The units of a day on which the rule recurs, in the hours of BYHOUR alone."""
        if not hours:
            yield from range(first, 86400 // unit, self.interval)
            return
        size = 3600 // unit
        for hour in sorted(hours):
            begin = max(hour * size, first)
            yield from range(begin + (first - begin) % self.interval, (hour + 1) * size, self.interval)

    def _times_of_day(self) -> list[time]:
        hours, minutes, seconds = (self._numbers[name] for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
        start = self.start
        return sorted(
            {
                time(hour, minute, min(second, 59))
                for hour in hours or {start.hour}
                for minute in minutes or {start.minute}
                for second in seconds or {start.second}
            }
        )

    def _complete(self) -> None:
        """What a rule leaves out comes from its start (RFC 5545 3.3.10)."""
        numbers = self._numbers
        if self.frequency == "WEEKLY" and not (self.weekdays or self._month_days):
            self.weekdays = frozenset({self.start.weekday()})
        if self.frequency not in ("YEARLY", "MONTHLY"):
            return
        chosen = self.weekdays or self._nth or self._month_days or numbers["BYYEARDAY"]
        if numbers["BYWEEKNO"] and not chosen:
            self.weekdays = frozenset({self.start.weekday()})
        elif not chosen:
            self._month_days = frozenset({self.start.day})
            if self.frequency == "YEARLY" and not self._months:
                self._months = frozenset({self.start.month})


def _aligned(start: int, wanted: int, step: int) -> int:
    """The last of ``start``, ``start + step``… that is not after ``wanted``, or ``start``."""
    return start if wanted <= start else start + (wanted - start) // step * step


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _real_days(days: frozenset[int], year: int, month: int) -> list[int]:
    length = monthrange(year, month)[1]
    real = {day if day > 0 else length + 1 + day for day in days}
    return sorted(day for day in real if 1 <= day <= length)


def _first_week(year: int, first_weekday: int) -> int:
    """The ordinal of the day on which week 1 of a year begins."""
    fourth = date(year, 1, 4)
    return fourth.toordinal() - (fourth.weekday() - first_weekday) % 7


def _number(parts: Parts, name: str) -> int | None:
    if name not in parts:
        return None
    text = parts[name][0]
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:12]) <= _LARGEST_INTERVAL:
        raise ValueError(f"its {name} is not a number from 1 on")
    return int(text)


def _numbers(parts: Parts, name: str) -> frozenset[int]:
    low, high, negative = _RANGES[name]
    found = set()
    for text in parts.get(name, []):
        digits = text.lstrip("+-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
            raise ValueError(f"its {name} holds {text[:20]!r}")
        number = -int(digits) if text.startswith("-") else int(digits)
        if not (low <= number <= high or (negative and -high <= number <= -low)):
            raise ValueError(f"its {name} holds {text}")
        found.add(number)
    return frozenset(found)


def _weekdays(parts: Parts, *, ordinal: bool) -> tuple[frozenset[int], tuple[tuple[int, int], ...]]:
    """Weekdays of BYDAY, and those with a number before them; only years and months have such."""
    plain, nth = set(), set()
    for text in parts.get("BYDAY", []):
        number, code = text[:-2], text[-2:]
        if code not in _CODES or (number and not number.lstrip("+-").isdigit()) or len(number) > 3:
            raise ValueError(f"its BYDAY holds {text[:20]!r}")
        if number and int(number) and ordinal:
            nth.add((int(number), _CODES.index(code)))
        else:
            plain.add(_CODES.index(code))
    return frozenset(plain), tuple(sorted(nth))
