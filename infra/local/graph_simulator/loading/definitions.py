"""A VTIMEZONE as a ``tzinfo``: its clock changes are computed once, so that asking it costs little."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta, tzinfo

from infra.local.graph_simulator.loading.recurrence_rules import Budget, RecurrenceRule, rule_parts
from infra.local.graph_simulator.loading.text import Component
from infra.local.graph_simulator.loading.values import moment_of, moments_of

_OFFSET_LIMIT = timedelta(hours=24)
#: Clock changes are computed for these years; before and after, the nearest one holds.
_FIRST, _LAST = datetime(1970, 1, 1), datetime(2060, 1, 1)  # noqa: DTZ001 - wall-clock times


class DefinedZone(tzinfo):
    """The clock that a calendar file defines itself (RFC 5545 3.6.5)."""

    def __init__(self, name: str, changes: list[tuple[datetime, timedelta, timedelta]]) -> None:
        """``changes``: each instant (UTC, naive), the offset before and the one after it, in order."""
        self._name = name
        self._after = [after for _, _, after in changes]
        self._first = changes[0][1]
        self._instants = [instant for instant, _, _ in changes]
        befores = [self._first, *self._after[:-1]]
        pairs = list(zip(self._instants, befores, self._after, strict=True))
        # PEP 495: of a time in a gap or shown twice, fold=0 counts with the offset before the change.
        self._walls = (
            [instant + max(before, after) for instant, before, after in pairs],
            [instant + min(before, after) for instant, before, after in pairs],
        )

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """The offset of a wall-clock time."""
        if moment is None:
            return self._after[-1]
        place = bisect_right(self._walls[moment.fold], moment.replace(tzinfo=None))
        return self._after[place - 1] if place else self._first

    def fromutc(self, moment: datetime) -> datetime:
        """The wall-clock time of an instant, ``fold`` set where it is shown for the second time."""
        bare = moment.replace(tzinfo=None)
        place = bisect_right(self._instants, bare)
        offset = self._after[place - 1] if place else self._first
        wall = moment + offset
        if place:
            before = self._after[place - 2] if place > 1 else self._first
            if bare + offset < self._instants[place - 1] + before:
                return wall.replace(fold=1)
        return wall

    def dst(self, moment: datetime | None) -> timedelta:
        """Not known: a definition does not tell it apart from the offset."""
        return timedelta()

    def tzname(self, moment: datetime | None) -> str:
        """The TZID."""
        return self._name


def defined_zone(definition: Component, budget: Budget) -> DefinedZone:
    """The clock of a VTIMEZONE; raises ``ValueError`` for one that cannot be read."""
    changes: dict[datetime, tuple[timedelta, timedelta]] = {}
    for part in definition.parts:
        if part.kind not in ("STANDARD", "DAYLIGHT"):
            continue
        before, after = (_offset(part.value(name)) for name in ("TZOFFSETFROM", "TZOFFSETTO"))
        for wall in _onsets(part, before, budget):
            changes[wall - before] = (before, after)
    if not changes:
        raise ValueError("it has neither STANDARD nor DAYLIGHT")
    ordered = [(instant, *offsets) for instant, offsets in sorted(changes.items())]
    return DefinedZone(definition.value("TZID"), ordered)


def _onsets(part: Component, before: timedelta, budget: Budget) -> list[datetime]:
    start = part.first("DTSTART")
    if start is None:
        raise ValueError("a part of it has no DTSTART")
    first = moment_of(start.value, start.params).wall
    found = [first]
    for rule in part.all("RRULE"):
        parts = rule_parts(rule.value)
        until = parts.pop("UNTIL", None)
        limit = None
        if until:
            told = moment_of(until[0], {})
            limit = told.wall + before if told.utc else told.wall
        found += RecurrenceRule(parts, first, limit, budget).between(_FIRST, _LAST)
    for dates in part.all("RDATE"):
        found += [moment.wall for moment, _ in moments_of(dates)]
    return [min(max(wall, datetime(2, 1, 1)), datetime(9998, 1, 1)) for wall in found]  # noqa: DTZ001


def _offset(text: str) -> timedelta:
    digits = text.strip().lstrip("+-").replace(":", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) in (4, 6)):
        raise ValueError(f"{text[:20]!r} is no offset")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:] or 0))
    if size >= _OFFSET_LIMIT:
        raise ValueError(f"{text[:20]!r} is no offset")
    return -size if text.strip().startswith("-") else size


def same_clock(one: tzinfo, other: tzinfo, samples: list[datetime]) -> bool:
    """Whether two clocks show the same time at every sample (UTC)."""
    return all(each.astimezone(one).utcoffset() == each.astimezone(other).utcoffset() for each in samples)


def samples_of(years: set[int]) -> list[datetime]:
    """Every third day of some years."""
    return [
        datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
        for year in sorted(years)
        for day in range(0, 365, 3)
    ]
