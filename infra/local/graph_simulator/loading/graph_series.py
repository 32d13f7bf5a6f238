"""A series as Graph's recurring event, where both mean exactly the same dates and hours."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any

from infra.local.graph_simulator.loading.events import Times, time_members
from infra.local.graph_simulator.loading.mailboxes import Loader
from infra.local.graph_simulator.loading.recurrence_rules import RecurrenceRule
from infra.local.graph_simulator.loading.series import Occurrence, Series
from infra.local.graph_simulator.loading.versions import Entry
from infra.local.graph_simulator.state.model import Calendar, Json
from infra.local.graph_simulator.values.errors import GraphError, LoadError
from infra.local.graph_simulator.values.recurrence import DAYS, INDEXES, parse_recurrence

_DAY_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_KNOWN = frozenset({"FREQ", "INTERVAL", "COUNT", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS"})
_MAX_COUNT = 999
_FIRST_YEAR = 1601
#: Dates and hours are compared up to here, at least for twelve years. The same for every range that is asked
#: for, so that a file gives the same series whenever it is loaded.
_COMPARED_UNTIL = datetime(2038, 1, 1)  # noqa: DTZ001 - wall-clock time
_TWELVE_YEARS = timedelta(days=12 * 366)
_OLD = datetime(2000, 1, 1)  # noqa: DTZ001 - wall-clock time

type Part = tuple[Json, Entry]


class NoEqualError(ValueError):
    """Graph has no series that means the same; the message says why."""


def as_graph(series: Series, loader: Loader, calendar: Calendar) -> Iterator[Part]:
    """The recurring event, then single events for what Graph cannot hold inside it.

    Extra dates are not among them. Raises ``NoEqualError`` if the occurrences must be loaded one by one.
    """
    dates = _dates(series)
    recurrence = _recurrence(series, dates)
    entry = series.entry
    reader = entry.reader
    body = {**entry.fields(), **time_members(series.times), "recurrence": recurrence}
    scratch, trial = loader.scratch_event(calendar, body)
    singles: list[Part] = []
    cancelled = {start for start in dates if series.is_excluded(start)}
    exceptions: list[Json] = []
    for start, times, source in _changes(series, dates):
        exception = _exception(series, start, times, source)
        try:
            scratch.load_exception(trial, exception)
            exceptions.append(exception)
        except (GraphError, LoadError) as error:
            if source is not entry:
                reader.note(source.event, f"loaded as a single event: {error}", technical=True)
            cancelled.add(start)
            singles.append(({**source.fields(), **time_members(times)}, source))
    body["exceptions"] = exceptions
    body["cancelledOccurrences"] = [start.date().isoformat() for start in sorted(cancelled)]
    yield body, entry
    yield from singles


def _changes(series: Series, dates: list[datetime]) -> list[tuple[datetime, Times, Entry]]:
    """Exceptions of the file, and occurrences that Graph would compute otherwise, by their times."""
    found = [
        (start, each.times, each) for start, each in series.exceptions.items() if start not in series.extra
    ]
    exact = series.times.end_instant - series.times.instant
    for start in dates:
        if start < _OLD or _wall_length(series.times, start) == exact:
            continue
        times = series.times.at(start)
        if _wall_length(series.times, start) == times.end_instant - times.instant:
            continue
        if start not in series.exceptions and not series.is_excluded(start):
            found.append((start, times, series.entry))
    return sorted(found, key=lambda change: change[1].instant)


def _wall_length(times: Times, start: datetime) -> timedelta:
    """How long Graph's occurrence is: it keeps the wall-clock times of start and end."""
    end = times.end + (start - times.start)
    if times.all_day:
        return end - start
    return times.end_zone.instant(end) - times.file_zone.instant(start)


def _exception(series: Series, start: datetime, times: Times, source: Entry) -> Json:
    members = time_members(times)
    for name in ("originalStartTimeZone", "originalEndTimeZone"):
        members.pop(name, None)
    if source is series.entry:
        # In a gap of the clock: the instants say which times are meant.
        for name, instant in (("start", times.instant), ("end", times.end_instant)):
            members[name] = {"dateTime": instant.replace(tzinfo=None).isoformat(), "timeZone": "UTC"}
        return {"originalStart": start.date().isoformat(), **members}
    fields = dict(source.fields())
    for name in ("iCalUId", "createdDateTime", "lastModifiedDateTime"):
        fields.pop(name, None)
    return {"originalStart": start.date().isoformat(), **fields, **members}


def _limit(rule: RecurrenceRule) -> datetime:
    return max(_COMPARED_UNTIL, rule.start + _TWELVE_YEARS)


def _dates(series: Series) -> list[datetime]:
    """The original starts that are compared, excluded ones among them."""
    if len(series.rules) != 1 or series.excluding:
        raise NoEqualError("it has more than one recurrence rule" if series.rules else "it has no rule")
    rule = series.rules[0]
    return rule.between(rule.start, _limit(rule))


def _recurrence(series: Series, dates: list[datetime]) -> Json:
    times = series.times
    if series.following or series.ends != datetime.max:  # noqa: DTZ901
        raise NoEqualError("a change applies to all that follows")
    if times.file_zone.zone is None or times.end_zone.zone is None:
        raise NoEqualError("its time zone equals no known one")
    if times.start.year < _FIRST_YEAR:
        raise NoEqualError("it begins before the years that a calendar holds")
    rule = series.rules[0]
    found = _as_pattern(rule, times.file_zone.name)
    if found is None or not _agrees(rule, found, dates):
        text = series.entry.event.value("RRULE")
        raise NoEqualError(f"the rule {text} has no equal in Graph")
    return found


def _agrees(rule: RecurrenceRule, recurrence: Json, dates: list[datetime]) -> bool:
    try:
        theirs = parse_recurrence(recurrence, rule.start.date()).dates()
    except GraphError:
        return False
    limit = _limit(rule).date()
    return [moment.date() for moment in dates] == list(takewhile(lambda day: day < limit, theirs))


def _as_pattern(rule: RecurrenceRule, zone_name: str) -> Json | None:
    if not rule.parts.keys() <= _KNOWN or (rule.count or 0) > _MAX_COUNT:
        return None
    pattern = _pattern(rule)
    if pattern is None:
        return None
    span: Json = {
        "type": "noEnd",
        "startDate": rule.start.date().isoformat(),
        "recurrenceTimeZone": zone_name,
    }
    if rule.count is not None:
        span |= {"type": "numbered", "numberOfOccurrences": rule.count}
    elif rule.until is not None:
        last: date = rule.until.date()
        if rule.until.time() < rule.start.time():
            last -= timedelta(days=1)
        span |= {"type": "endDate", "endDate": last.isoformat()}
    return {"pattern": {**pattern, "interval": rule.interval}, "range": span}


def _pattern(rule: RecurrenceRule) -> Json | None:
    first_day = DAYS[rule.first_weekday]
    match rule.frequency:
        case "DAILY":
            if "BYDAY" not in rule.parts:
                return {"type": "daily"}
            if rule.interval != 1:
                return None
            return {"type": "weekly", "daysOfWeek": _names(rule), "firstDayOfWeek": first_day}
        case "WEEKLY":
            days = _names(rule) or [DAYS[rule.start.weekday()]]
            return {"type": "weekly", "daysOfWeek": days, "firstDayOfWeek": first_day}
        case "MONTHLY":
            return _monthly(rule, "Monthly", {})
        case "YEARLY":
            months = rule.parts.get("BYMONTH") or [str(rule.start.month)]
            if len(months) != 1 or ("BYDAY" in rule.parts and "BYMONTH" not in rule.parts):
                return None
            return _monthly(rule, "Yearly", {"month": int(months[0])})
    return None


def _monthly(rule: RecurrenceRule, suffix: str, more: Json) -> Json | None:
    days, month_days = rule.parts.get("BYDAY"), rule.parts.get("BYMONTHDAY")
    if days and month_days:
        return None
    if days:
        found = _relative(rule, days)
        return None if found is None else {"type": f"relative{suffix}", **found, **more}
    wanted = month_days or [str(rule.start.day)]
    if len(wanted) != 1 or "BYSETPOS" in rule.parts:
        return None
    # In a shorter month Outlook takes the last day and RFC 5545 none; only "last day" agrees.
    day = 31 if int(wanted[0]) == -1 else int(wanted[0])
    return {"type": f"absolute{suffix}", "dayOfMonth": day, **more} if day > 0 else None


def _relative(rule: RecurrenceRule, days: list[str]) -> Json | None:
    positions: Any = rule.parts.get("BYSETPOS")
    names = _names(rule)
    if positions is None:
        position = days[0][:-2]
        if len(days) != 1 or not position:
            return None
        names = [DAYS[_DAY_CODES.index(days[0][-2:])]]
    elif len(positions) == 1 and names:
        position = positions[0]
    else:
        return None
    number = int(position)
    if number == -1:
        return {"daysOfWeek": names, "index": "last"}
    return {"daysOfWeek": names, "index": INDEXES[number - 1]} if 1 <= number <= 4 else None


def _names(rule: RecurrenceRule) -> list[str]:
    codes = rule.parts.get("BYDAY", [])
    return [] if any(len(code) != 2 for code in codes) else [DAYS[_DAY_CODES.index(code)] for code in codes]


def single(occurrence: Occurrence) -> Part:
    """One occurrence as a single event."""
    source = occurrence.entry
    return {**source.fields(), **time_members(occurrence.times)}, source
