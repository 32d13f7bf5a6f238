"""The VEVENTs of one file put together: series with their exceptions, cancelled dates and extra dates."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from icalendar import Component

from .calendar_events import EventReader, Note, Times, time_members, tzid_of
from .calendar_rules import Rule
from .errors import GraphError, LoadError
from .loading import Loader
from .model import Calendar, Json

_MARGIN = timedelta(days=1)
_MAX_EXPANDED = 5000
#: One event with values no one foresaw must not stop the rest.
_UNFORESEEN = (GraphError, ValueError, TypeError, AttributeError, LookupError, OverflowError)


@dataclass(slots=True)
class _Single:
    event: Component
    times: Times


@dataclass(slots=True)
class _Series:
    event: Component
    times: Times
    rules: list[Rule]
    exceptions: list[_Single] = field(default_factory=list)


class SeriesReader:
    """Collects events by ``add``; ``entries`` gives them as Graph-shaped JSON to load."""

    def __init__(self, reader: EventReader, loader: Loader, calendar: Calendar, note: Note) -> None:
        self._reader = reader
        self._loader = loader
        self._calendar = calendar
        self._note = note
        self._singles: list[_Single] = []
        self._series: list[_Series] = []
        self._exceptions: list[_Single] = []
        #: Events and series without anything in the range.
        self.outside_range = 0

    def add(self, event: Component) -> None:
        """Take one VEVENT; raises ``UnreadableEventError``."""
        times = self._reader.times(event)
        if "RECURRENCE-ID" in event:
            self._exceptions.append(_Single(event, times))
            return
        rules = self._rules(event, times)
        if rules or "RDATE" in event:
            self._series.append(_Series(event, times, rules))
        else:
            self._singles.append(_Single(event, times))

    def latest(self, now: datetime) -> datetime | None:
        """The latest start not after ``now`` (UTC, naive); if all lie ahead, the latest first start."""
        starts = [_naive(single.times) for single in (*self._singles, *self._exceptions)]
        starts.extend(_naive(series.times) for series in self._series)
        past = [start for start in starts if start <= now]
        for series in self._series:
            for rule in series.rules:
                past.extend(start for start in rule.starts(now)[-1:] if start <= now)
        return max(past) if past else max(starts, default=None)

    def entries(self, first: date, last: date) -> list[Json]:
        """Everything with an occurrence in ``[first, last)``, as JSON for the loader."""
        self._attach_exceptions()
        entries: list[Json] = []
        for series in self._series:
            try:
                entries.extend(self._series_entries(series, first, last))
            except _UNFORESEEN as error:
                self._note(series.event, f"not loaded: {error}")
        for single in self._singles:
            if not _touches(single.times, first, last):
                self.outside_range += 1
                continue
            try:
                entries.append(self._single_entry(single))
            except _UNFORESEEN as error:
                self._note(single.event, f"not loaded: {error}")
        return entries

    def _rules(self, event: Component, times: Times) -> list[Rule]:
        value = event.get("RRULE")
        found = []
        for rule in value if isinstance(value, list) else [value] if value is not None else []:
            try:
                found.append(Rule(rule, times.start, times.file_zone.clock, all_day=times.all_day))
            except (ValueError, TypeError, AttributeError) as error:
                self._note(
                    event, f"recurrence rule cannot be read ({error}); the first event alone is loaded"
                )
        return found

    def _attach_exceptions(self) -> None:
        by_uid: dict[str, _Series] = {}
        for series in self._series:
            by_uid.setdefault(str(series.event.get("UID", "")), series)
        for exception in self._exceptions:
            owner = by_uid.get(str(exception.event.get("UID", "")))
            params = getattr(_replaced(exception.event), "params", {})
            if str(params.get("RANGE", "")).upper() == "THISANDFUTURE":
                self._note(exception.event, "RANGE=THISANDFUTURE changes this occurrence only")
            if owner is None:
                self._singles.append(exception)
            else:
                owner.exceptions.append(exception)

    def _single_entry(self, single: _Single) -> Json:
        return {**self._reader.fields(single.event), **time_members(single.times)}

    def _series_entries(self, series: _Series, first: date, last: date) -> list[Json]:
        limit = datetime.combine(last, datetime.min.time()) + _MARGIN
        starts = self._starts(series, limit)
        extra = self._extra_dates(series, starts)
        occurring = [start for start in starts if _touches(_moved(series.times, start), first, last)]
        own = [one for one in series.exceptions if _touches(one.times, first, last)]
        if not occurring and not own and not any(_touches(times, first, last) for times in extra):
            self.outside_range += 1
            return []
        recurrence = self._recurrence(series)
        entries: list[Json] = []
        if recurrence is not None:
            entries.extend(self._as_series(series, recurrence, limit))
        else:
            entries.extend(self._expanded(series, starts, first, last))
        for times in extra:
            if _touches(times, first, last):
                self._note(
                    series.event, f"the extra date {times.start.isoformat()} is loaded as a single event"
                )
                entries.append({**self._reader.fields(series.event), **time_members(times)})
        return entries

    def _starts(self, series: _Series, limit: datetime) -> list[datetime]:
        found = {start for rule in series.rules for start in rule.starts(limit)} | {series.times.start}
        excluded = self._excluded(series)
        kept = [start for start in sorted(found) if start not in excluded and start.date() not in excluded]
        return kept[:_MAX_EXPANDED]

    def _recurrence(self, series: _Series) -> Json | None:
        times = series.times
        if not series.rules:
            return None
        if len(series.rules) == 1 and times.file_zone.zone is not None:
            found = series.rules[0].as_graph(times.file_zone.name)
            if found is not None:
                return found
        reason = f"the rule {series.rules[0].text} has no equal in Graph"
        if len(series.rules) > 1:
            reason = "it has more than one recurrence rule"
        elif times.file_zone.zone is None:
            reason = "its time zone equals no known one"
        self._note(series.event, f"{reason}: its occurrences in the range are loaded as single events")
        return None

    def _expanded(self, series: _Series, starts: list[datetime], first: date, last: date) -> list[Json]:
        replaced = {self._original(series, exception) for exception in series.exceptions}
        fields = self._reader.fields(series.event)
        result = []
        for start in starts:
            times = _moved(series.times, start)
            if start not in replaced and _touches(times, first, last):
                result.append({**fields, **time_members(times)})
        result.extend(
            self._single_entry(one) for one in series.exceptions if _touches(one.times, first, last)
        )
        return result

    def _as_series(self, series: _Series, recurrence: Json, limit: datetime) -> list[Json]:
        """The series with its exceptions; those Graph would refuse become single events."""
        entry = {**self._reader.fields(series.event), **time_members(series.times), "recurrence": recurrence}
        excluded = self._excluded(series)
        scratch, trial = self._loader.scratch_event(self._calendar, entry)
        horizon = (
            max(limit, *(one.times.start + _MARGIN for one in series.exceptions))
            if series.exceptions
            else limit
        )
        dates = {start for rule in series.rules for start in rule.starts(horizon)}
        cancelled = {start for start in dates if start in excluded or start.date() in excluded}
        exceptions, entries = [], [entry]
        for one in sorted(series.exceptions, key=lambda single: single.times.instant):
            start = self._original(series, one)
            if start not in dates:
                self._note(one.event, "it replaces no occurrence of its series: loaded as a single event")
                entries.append(self._single_entry(one))
                continue
            cancelled.discard(start)
            fields = self._reader.fields(one.event)
            for name in ("iCalUId", "createdDateTime", "lastModifiedDateTime"):
                fields.pop(name, None)
            members = time_members(one.times)
            members.pop("originalStartTimeZone", None)
            members.pop("originalEndTimeZone", None)
            exception = {"originalStart": start.date().isoformat(), **fields, **members}
            try:
                scratch.load_exception(trial, exception)
                exceptions.append(exception)
            except (GraphError, LoadError) as error:
                self._note(one.event, f"loaded as a single event: {error}")
                cancelled.add(start)
                entries.append(self._single_entry(one))
        entry["exceptions"] = exceptions
        entry["cancelledOccurrences"] = [start.date().isoformat() for start in sorted(cancelled)]
        return entries

    def _original(self, series: _Series, exception: _Single) -> datetime | None:
        """The wall-clock start, in the series' zone, of the occurrence an exception replaces."""
        return self._in_series(series, exception.event, _replaced(exception.event))

    def _excluded(self, series: _Series) -> set[datetime | date]:
        found: set[datetime | date] = set()
        for value in _dates(series.event, "EXDATE"):
            if not isinstance(value.dt, datetime) and not series.times.all_day:
                found.add(value.dt)
            else:
                start = self._in_series(series, series.event, value)
                if start is not None:
                    found.add(start)
        return found

    def _in_series(self, series: _Series, event: Component, value: Any) -> datetime | None:
        """The wall-clock start, in the series' zone, that a date of EXDATE or RECURRENCE-ID names."""
        try:
            moment = value.dt
        except Exception as error:
            self._note(event, f"a date of the series cannot be read ({error})")
            return None
        if not isinstance(moment, date):
            self._note(event, f"a date of the series cannot be read ({moment})")
            return None
        return self._start(series, event, tzid_of(value), moment)

    def _start(self, series: _Series, event: Component, tzid: str, moment: date) -> datetime:
        if not isinstance(moment, datetime) or series.times.all_day:
            day = moment.date() if isinstance(moment, datetime) else moment
            return datetime.combine(day, series.times.start.time())
        wall, zone = self._reader.wall(event, tzid, moment)
        own = series.times.file_zone
        if zone.name == own.name and zone.clock is own.clock:
            return wall
        return zone.instant(wall).astimezone(own.clock).replace(tzinfo=None, fold=0)

    def _extra_dates(self, series: _Series, starts: list[datetime]) -> list[Times]:
        known, found = set(starts), []
        excluded = self._excluded(series)
        for value in _dates(series.event, "RDATE"):
            moment, length = value.dt, None
            if isinstance(moment, tuple):
                moment, length = moment
                if isinstance(length, datetime):
                    length -= moment
            start = self._start(series, series.event, tzid_of(value), moment)
            if start in known or start in excluded:
                continue
            times = _moved(series.times, start)
            found.append(
                times if length is None else replace(times, end=start + length, end_zone=times.file_zone)
            )
            known.add(start)
        return found


def _replaced(event: Component) -> Any:
    value: Any = event["RECURRENCE-ID"]
    return value[0] if isinstance(value, list) else value


def _dates(event: Component, name: str) -> list[Any]:
    value = event.get(name)
    lists = value if isinstance(value, list) else [value] if value is not None else []
    return [entry for dates in lists for entry in getattr(dates, "dts", [])]


def _moved(times: Times, start: datetime) -> Times:
    """The same event at another start; its exact length stays (RFC 5545, 3.8.5.3)."""
    if times.all_day:
        return replace(times, start=start, end=start + (times.end - times.start))
    length = times.end_zone.instant(times.end) - times.instant
    end, end_zone = times.end_zone.told(times.file_zone.instant(start) + length)
    return replace(times, start=start, end=end, end_zone=end_zone)


def _naive(times: Times) -> datetime:
    return times.instant.replace(tzinfo=None)


def _touches(times: Times, first: date, last: date) -> bool:
    return first <= times.start.date() < last or (times.start.date() < first < times.end.date())
