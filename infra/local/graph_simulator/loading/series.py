"""A series of a calendar file: its rules, extra and excluded dates and exceptions, as occurrences."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from infra.local.graph_simulator.loading.events import EventReader, Times, UnreadableEventError
from infra.local.graph_simulator.loading.recurrence_rules import (
    Budget,
    RecurrenceRule,
    TooOftenError,
    rule_parts,
)
from infra.local.graph_simulator.loading.values import Length, Moment, moment_of, moments_of
from infra.local.graph_simulator.loading.versions import Entry

#: What a calendar shows of one series in the range; a year of hourly occurrences is less.
_MOST = 20_000
_LAST_TIME = time.max.replace(microsecond=0)
_SECOND = timedelta(seconds=1)
_EDGE = timedelta(days=2)
#: How far back the latest occurrence is looked for, nearest first.
_BACK = (timedelta(days=40), timedelta(days=400), timedelta(days=4000), timedelta(days=200_000))


class ExcludedError(ValueError):
    """An exception of an occurrence that its series excludes."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date of a series: the original wall-clock start, its times, and the entry that describes it."""

    original: datetime | None
    times: Times
    entry: Entry
    extra: bool = False


@dataclass(slots=True)
class Series:
    """A recurring entry with what changes it; original starts are wall-clock times of its zone."""

    entry: Entry
    rules: list[RecurrenceRule]
    excluding: list[RecurrenceRule]
    excluded: set[datetime | date]
    extra: dict[datetime, Times]
    exceptions: dict[datetime, Entry] = field(default_factory=dict)
    #: THISANDFUTURE: from an original start on, until the next one.
    following: list[tuple[datetime, Entry]] = field(default_factory=list)
    #: A change of all that follows which has a rule of its own ends the series here.
    ends: datetime = datetime.max  # noqa: DTZ901 - wall-clock time

    @property
    def times(self) -> Times:
        """When the first occurrence is."""
        return self.entry.times

    def starts(self, first: datetime, last: datetime) -> list[datetime]:
        """Original starts in ``[first, last)``, exceptions included; raises ``TooOftenError``."""
        last = min(last, self.ends)
        found = {start for rule in self.rules for start in rule.between(first, last)}
        found.update(start for start in (self.times.start, *self.extra) if first <= start < last)
        out = {start for rule in self.excluding for start in rule.between(first, last)}
        kept = sorted(start for start in found if start not in out and not self.is_excluded(start))
        if len(kept) > _MOST:
            raise TooOftenError(f"it has more than {_MOST:,} occurrences in the range")
        return kept

    def has(self, start: datetime) -> bool:
        """Whether a wall-clock time is an original start."""
        return start in self.starts(start, start + _SECOND)

    def has_by_rule(self, start: datetime) -> bool:
        """Whether DTSTART or a rule gives a start; RDATE does not add it again (RFC 5545 3.8.5.3)."""
        return start == self.times.start or any(rule.between(start, start + _SECOND) for rule in self.rules)

    def is_excluded(self, start: datetime) -> bool:
        """Whether EXDATE takes a start out."""
        return start in self.excluded or start.date() in self.excluded

    def occurrences(self, first: date, last: date) -> Iterator[Occurrence]:
        """What may lie on the days ``[first, last)`` of any zone; raises ``TooOftenError``."""
        shifts = [abs(entry.times.start - start) for start, entry in self.following]
        margin = _EDGE + max(shifts, default=timedelta())
        low, high = _midnight(first, -margin), _midnight(last, margin)
        for start in self.starts(low, high):
            if start not in self.exceptions:
                yield self._at(start)
        for start, entry in self.exceptions.items():
            if start < self.ends:
                yield Occurrence(start, entry.times, entry, extra=start in self.extra)

    def _at(self, start: datetime) -> Occurrence:
        change = next(((at, entry) for at, entry in reversed(self.following) if at <= start), None)
        if change is not None:
            at, entry = change
            return Occurrence(start, entry.times.at(start + (entry.times.start - at)), entry)
        extra = self.extra.get(start)
        return Occurrence(start, extra or self.times.at(start), self.entry, extra=extra is not None)

    def latest(self, before: datetime) -> datetime | None:
        """The last original start before a wall-clock time; raises ``TooOftenError``."""
        for back in _BACK:
            low = max(self.times.start, before - back)
            found = self.starts(low, before)
            if found or low == self.times.start:
                return found[-1] if found else None
        return None

    def attach(self, exception: Entry) -> bool:
        """Take an exception that names one of its occurrences. False if it names none.

        Raises ``ExcludedError`` for one that EXDATE removes, because it no longer belongs to the series. RFC
        5545 3.8.5.1: what EXDATE names is excluded from what all other properties give.
        """
        start = self._original(exception)
        if start is None:
            return False
        if self.is_excluded(start):
            if not exception.and_following:
                raise ExcludedError("its series excludes the occurrence that it changes (EXDATE)")
        elif not self.has(start):
            return False
        if not exception.and_following:
            self.exceptions[start] = exception
        elif exception.event.first("RRULE") is not None:
            self.ends = min(self.ends, start)
        else:
            self.following = sorted([*self.following, (start, exception)], key=lambda change: change[0])
        return True

    def _original(self, exception: Entry) -> datetime | None:
        if exception.replaces is None:
            return None
        return in_series(self.times, exception.reader, exception.replaces)


def series_of(entry: Entry, budget: Budget) -> Series:
    """The series of an entry with a rule or extra dates.

    A rule that cannot be read is noted, and the first event alone is left. Raises ``TooOftenError`` for one
    that recurs too often, ``UnreadableEventError`` for dates that cannot be read.
    """
    event, times = entry.event, entry.times
    series = Series(
        entry, _rules(entry, "RRULE", budget), _rules(entry, "EXRULE", budget), _excluded(entry), {}
    )
    for dates in event.all("RDATE"):
        try:
            for moment, until in moments_of(dates):
                start = in_series(times, entry.reader, moment)
                if not series.has_by_rule(start):
                    series.extra.setdefault(start, _extra(entry, start, until))
        except TooOftenError:
            raise
        except ValueError as error:
            raise UnreadableEventError(f"RDATE cannot be read: {error}") from None
    return series


def in_series(times: Times, reader: EventReader, moment: Moment) -> datetime:
    """The wall-clock start, in the series' zone, that a date of EXDATE, RDATE or RECURRENCE-ID names."""
    if moment.is_date or times.all_day:
        wall = moment.wall
        if moment.utc and times.all_day:
            # Exchange writes the midnight of an all-day event as an instant.
            wall = reader.zones.default.wall(reader.wall(moment)[1].instant(moment.wall))
        return datetime.combine(wall.date(), times.start.time())
    wall, zone = reader.wall(moment)
    own = times.file_zone
    return wall if zone.clock is own.clock else own.wall(zone.instant(wall))


def _extra(entry: Entry, start: datetime, until: Length | Moment | None) -> Times:
    times = entry.times
    if until is None or times.all_day:
        return times.at(start)
    begin = times.file_zone.instant(start)
    if isinstance(until, Length):
        return times.until(start, begin + until.total)
    wall, zone = entry.reader.wall(until)
    return times.until(start, max(begin, zone.instant(wall)))


def _rules(entry: Entry, name: str, budget: Budget) -> list[RecurrenceRule]:
    found = []
    for rule in entry.event.all(name):
        try:
            parts = rule_parts(rule.value)
            until = parts.pop("UNTIL", None)
            last = _until(entry, until[0]) if until else None
            found.append(RecurrenceRule(parts, entry.times.start, last, budget))
        except TooOftenError:
            raise
        except ValueError as error:
            alone = "; the first event alone is loaded" if name == "RRULE" else ""
            entry.reader.note(entry.event, f"{error}{alone}")
    return found


def _until(entry: Entry, text: str) -> datetime:
    """UNTIL as wall-clock time of the series; a date is the whole day."""
    times, reader = entry.times, entry.reader
    told = moment_of(text, {})
    zone = reader.zones.default if times.all_day else times.file_zone
    wall = zone.wall(reader.wall(told)[1].instant(told.wall)) if told.utc else told.wall
    return datetime.combine(wall.date(), _LAST_TIME) if told.is_date or times.all_day else wall


def _excluded(entry: Entry) -> set[datetime | date]:
    found: set[datetime | date] = set()
    for dates in entry.event.all("EXDATE"):
        try:
            for moment, _ in moments_of(dates):
                timed = not moment.is_date or entry.times.all_day
                found.add(in_series(entry.times, entry.reader, moment) if timed else moment.day)
        except ValueError as error:
            raise UnreadableEventError(f"EXDATE cannot be read: {error}") from None
    return found


def _midnight(day: date, shift: timedelta) -> datetime:
    try:
        return datetime.combine(day, time.min) + shift
    except OverflowError:
        return datetime.min if shift < timedelta() else datetime.max  # noqa: DTZ901 - wall-clock time
