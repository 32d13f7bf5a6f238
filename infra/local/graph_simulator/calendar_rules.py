"""RRULE (RFC 5545) to Graph's patternedRecurrence, where both mean exactly the same dates."""

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta, tzinfo
from itertools import islice, takewhile
from typing import Any

from dateutil.rrule import rrule, rrulestr
from icalendar import vRecur

from .errors import GraphError
from .recurrence import DAYS, INDEXES, parse_recurrence

_DAY_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_KNOWN = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS"}
)
_BOUNDS = ("UNTIL", "COUNT")
_MAX_COUNT = 999
#: How many dates are compared before a pattern is trusted.
_COMPARED = 800
_MAX_STARTS = 100_000
_SEARCHED = timedelta(days=60 * 366)

type Json = dict[str, Any]


class Rule:
    """One RRULE of a series that starts at a wall-clock time in a zone."""

    def __init__(self, rule: vRecur, start: datetime, zone: tzinfo, *, all_day: bool) -> None:
        """Raises ``ValueError`` for a rule that cannot be read or recurs more often than hourly."""
        self.text = _text(rule)
        self._parts: dict[str, list[Any]] = {name.upper(): list(values) for name, values in rule.items()}
        self._start = start
        self._until = self._local_until(zone, all_day=all_day)
        bare = vRecur(
            {name: values for name, values in self._parts.items() if name not in ("UNTIL", "COUNT")}
        )
        if str(self._one("FREQ")).upper() in ("SECONDLY", "MINUTELY"):
            raise ValueError(f"{self.text} recurs too often")
        parsed = rrulestr(_text(bare), dtstart=start)
        if not isinstance(parsed, rrule):
            raise ValueError(f"recurrence rule {self.text}")
        if any(int(self._one(name) or 1) < 1 or self._one(name) == 0 for name in ("INTERVAL", "COUNT")):
            raise ValueError(f"{self.text} has an interval or a count below 1")
        # A rule without any date would be searched for ever.
        self._horizon = max(start, datetime.now()) + _SEARCHED  # noqa: DTZ005 - wall clock beside wall clock
        self._rule = parsed.replace(until=min(self._until or self._horizon, self._horizon))

    def starts(self, until: datetime) -> list[datetime]:
        """Wall-clock starts up to a wall-clock time, the series' own start among them (RFC 5545, 3.8.5.3)."""
        found = [self._start] if self._start <= until else []
        for moment in self._moments(_MAX_STARTS):
            if moment > until:
                break
            if moment != self._start:
                found.append(moment)
        return found

    def _moments(self, limit: int) -> Iterator[datetime]:
        """What the rule itself yields, at most ``limit``."""
        count = self._one("COUNT")
        return islice(self._rule, limit if count is None else min(limit, int(count)))

    def as_graph(self, zone_name: str) -> Json | None:
        """The same dates as a patternedRecurrence; ``None`` if Graph has none that is exactly the same."""
        if not self._parts.keys() <= _KNOWN:
            return None
        pattern = self._pattern()
        if pattern is None:
            return None
        count = self._one("COUNT")
        if count is not None and int(count) > _MAX_COUNT:
            return None
        span: Json = {
            "type": "noEnd",
            "startDate": self._start.date().isoformat(),
            "recurrenceTimeZone": zone_name,
        }
        if count is not None:
            span |= {"type": "numbered", "numberOfOccurrences": int(count)}
        elif self._until is not None:
            last = self._until.date()
            if self._until.time() < self._start.time():
                last -= timedelta(days=1)
            span |= {"type": "endDate", "endDate": last.isoformat()}
        recurrence = {"pattern": {**pattern, "interval": int(self._one("INTERVAL") or 1)}, "range": span}
        return recurrence if self._agrees(recurrence) else None

    def _agrees(self, recurrence: Json) -> bool:
        try:
            dates = parse_recurrence(recurrence, self._start.date()).dates()
        except GraphError:
            return False
        last = self._horizon.date()
        ours = list(islice(takewhile(lambda day: day < last, dates), _COMPARED))
        theirs = [day for day in (moment.date() for moment in self._moments(_COMPARED)) if day < last]
        return ours == theirs and ours[:1] == [self._start.date()]

    def _pattern(self) -> Json | None:
        first_day = DAYS[_DAY_CODES.index(str(self._one("WKST") or "MO"))]
        match self._one("FREQ"):
            case "DAILY":
                return self._daily(first_day)
            case "WEEKLY":
                days = self._weekdays() or [DAYS[self._start.weekday()]]
                return {"type": "weekly", "daysOfWeek": days, "firstDayOfWeek": first_day}
            case "MONTHLY":
                return self._monthly("Monthly", {})
            case "YEARLY":
                month = self._parts.get("BYMONTH") or [self._start.month]
                if len(month) != 1 or ("BYDAY" in self._parts and "BYMONTH" not in self._parts):
                    return None
                return self._monthly("Yearly", {"month": int(month[0])})
        return None

    def _daily(self, first_day: str) -> Json | None:
        if "BYDAY" not in self._parts:
            return {"type": "daily"}
        if int(self._one("INTERVAL") or 1) != 1:
            return None
        return {"type": "weekly", "daysOfWeek": self._weekdays(), "firstDayOfWeek": first_day}

    def _monthly(self, suffix: str, more: Json) -> Json | None:
        days, month_days = self._parts.get("BYDAY"), self._parts.get("BYMONTHDAY")
        if days and month_days:
            return None
        if days:
            found = self._relative(days)
            return None if found is None else {"type": f"relative{suffix}", **found, **more}
        wanted = month_days or [self._start.day]
        if len(wanted) != 1 or "BYSETPOS" in self._parts:
            return None
        # In a shorter month Outlook takes the last day and RFC 5545 none; only "last day" agrees.
        day = 31 if int(wanted[0]) == -1 else int(wanted[0])
        return {"type": f"absolute{suffix}", "dayOfMonth": day, **more} if day > 0 else None

    def _relative(self, days: list[Any]) -> Json | None:
        positions = self._parts.get("BYSETPOS")
        names = self._weekdays()
        if positions is None:
            text = str(days[0]).upper()
            position = text[:-2]
            if len(days) != 1 or not position:
                return None
            names = [DAYS[_DAY_CODES.index(text[-2:])]]
        elif len(positions) == 1 and names:
            position = str(positions[0])
        else:
            return None
        number = int(position)
        if number == -1:
            return {"daysOfWeek": names, "index": "last"}
        return {"daysOfWeek": names, "index": INDEXES[number - 1]} if 1 <= number <= 4 else None

    def _weekdays(self) -> list[str]:
        codes = [str(code).upper() for code in self._parts.get("BYDAY") or []]
        return (
            [] if any(len(code) != 2 for code in codes) else [DAYS[_DAY_CODES.index(code)] for code in codes]
        )

    def _one(self, name: str) -> Any:
        values = self._parts.get(name)
        return values[0] if values else None

    def _local_until(self, zone: tzinfo, *, all_day: bool) -> datetime | None:
        until = self._one("UNTIL")
        if until is None:
            return None
        if all_day or not isinstance(until, datetime):
            return datetime.combine(until, time.max.replace(microsecond=0))
        return until.astimezone(zone).replace(tzinfo=None) if until.tzinfo else until


def _text(rule: vRecur) -> str:
    encode: Callable[[], bytes] = rule.to_ical
    return encode().decode("utf-8")
