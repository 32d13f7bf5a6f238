"""What a changed series shows and what is archived of it: one question for the whole series (domain.md 2.17).

A *difference* is one date on which both are not the same. The differences of a series together are one
action item. Plans see a window each, so the item grows and shrinks window by window. ``judge`` says what
becomes of it; ``takes`` says which differences the answer *take the series* is about.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from shared.domain.events.source_event import SourceEvent
from shared.domain.times.zones import find_zone


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A meeting of a series on one side: as archived, or as the calendar shows it; times UTC."""

    key: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """What is archived and what the series shows instead; at most one of them is None.

    Without ``archived`` the series shows a day that was archived without it. Without ``now`` the series does
    not show the archived meeting any more.
    """

    archived: Occurrence | None
    now: Occurrence | None

    @property
    def key(self) -> str:
        """The source key that it is about; of a meeting on both sides it is one."""
        return self._side.key

    @property
    def start(self) -> datetime:
        """The instant that decides its window: that of the copy where there is one (domain.md 2.2)."""
        return self._side.start

    @property
    def _side(self) -> Occurrence:
        side = self.archived or self.now
        assert side is not None  # noqa: S101 - a difference has a side
        return side


class Standing(StrEnum):
    """``open``: it waits. ``kept``: what is archived stays, on the owner's word or by expiry. ``taken``: the
    archive becomes what the series shows.
    """

    OPEN = "open"
    KEPT = "kept"
    TAKEN = "taken"


class Step(StrEnum):
    """What a plan does with the item of a series.

    ``extend``: more of the same change, or more of the calendar seen; nobody is asked again.
    """

    NOTHING = "nothing"
    OPEN = "open"
    REFRESH = "refresh"
    REOPEN = "reopen"
    EXTEND = "extend"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Span:
    """``[start, end)``, UTC."""

    start: datetime
    end: datetime

    def holds(self, instant: datetime) -> bool:
        """Whether the instant lies in it."""
        return self.start <= instant < self.end

    def joined(self, other: "Span") -> "Span":
        """The smallest span that holds both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True, slots=True)
class KnownReset:
    """The item of a series. ``shape`` is what its plain occurrences had in common when it was asked.

    ``seen`` spans the windows that were compared since the series has this shape.
    """

    standing: Standing
    shape: str
    seen: Span
    differences: tuple[Difference, ...]

    def get(self, key: str) -> Difference | None:
        """The difference about this key."""
        return next((each for each in self.differences if each.key == key), None)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of the item, and what it is about from now on."""

    step: Step
    shape: str = ""
    seen: Span | None = None
    differences: tuple[Difference, ...] = ()


def shape_of(event: SourceEvent) -> str:
    """What all plain occurrences of a series have in common at a time: time of day, length, how it is shown.

    Two equal shapes are the same change of the series, whatever the date.
    """
    if event.is_all_day:
        time_of_day = ""
    else:
        zone = find_zone(event.start_zone)
        # The wall time of an unknown zone is not known: what remains is compared.
        time_of_day = f"{event.start.astimezone(zone):%H:%M:%S}" if zone else "?"
    length = int((event.end - event.start).total_seconds())
    return "|".join((event.start_zone, time_of_day, str(length), str(event.is_all_day), event.show_as))


def judge(
    known: KnownReset | None, shape: str | None, window: Span, found: Sequence[Difference]
) -> Judgement:
    """What a plan of ``window`` does that found these differences of the series, or none.

    ``shape`` is that of the series where a plain occurrence was met. A question is asked once: what was
    decided is asked again only where the series changed again, that is, it has another shape, or differs
    otherwise on a day that was seen before. A meeting that vanished by itself is no change of the series.
    """
    found = sorted(found, key=_order)
    asked = [each for each in found if each.now is not None]
    if known is None:
        if not asked or shape is None:
            return Judgement(Step.NOTHING)
        return Judgement(Step.OPEN, shape, window, tuple(found))
    if asked and shape is not None and shape != known.shape:
        step = Step.REFRESH if known.standing is Standing.OPEN else Step.REOPEN
        return Judgement(step, shape, window, tuple(found))
    seen = known.seen.joined(window)
    if known.standing is Standing.OPEN:
        return _open_still(known, seen, window, found)
    if any(_changed_again(known, each) for each in asked):
        return Judgement(Step.REOPEN, known.shape, seen, _merged(known, window, found))
    more = [each for each in found if known.get(each.key) is None and not known.seen.holds(each.start)]
    if not more and seen == known.seen:
        return Judgement(Step.NOTHING, known.shape, known.seen, known.differences)
    return Judgement(Step.EXTEND, known.shape, seen, _ordered([*known.differences, *more]))


def takes(known: KnownReset, shape: str | None, difference: Difference) -> bool:
    """Whether the answer *take the series* is about this difference: it was shown, or is more of the same.

    ``shape`` is that of the series now; None where no plain occurrence of it was met.
    """
    if known.standing is not Standing.TAKEN or shape not in (None, known.shape):
        return False
    shown = known.get(difference.key)
    if shown is None:
        return not known.seen.holds(difference.start)
    return shown.now == difference.now


@dataclass(frozen=True, slots=True)
class Taking:
    """What *take the series* does with what is on one side only.

    ``pairs`` are (row, event) by key: the copy becomes that of the event. The copies of ``surplus_rows`` are
    superseded; ``surplus_events`` are archived.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    surplus_rows: tuple[str, ...] = ()
    surplus_events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dated:
    """A row whose source is gone, or an event without a row, on its local date."""

    key: str
    day: date
    start: datetime


def take_series(rows: Iterable[Dated], events: Iterable[Dated]) -> Taking:
    """Pair rows and events of one series by date; several on one date in the order of their starts.

    What has a row and an event of one key is paired already and is not asked about here.
    """
    rows_by_day, events_by_day = _by_day(rows), _by_day(events)
    pairs: list[tuple[str, str]] = []
    left_rows: list[Dated] = []
    left_events: list[Dated] = []
    for day in sorted(rows_by_day.keys() | events_by_day.keys()):
        here, there = rows_by_day[day], events_by_day[day]
        pairs += [(row.key, event.key) for row, event in zip(here, there, strict=False)]
        left_rows += here[len(there) :]
        left_events += there[len(here) :]
    return Taking(
        tuple(pairs),
        tuple(each.key for each in left_rows),
        tuple(each.key for each in left_events),
    )


def of_predecessor(gone: Iterable[Dated], living: Collection[date]) -> list[Dated]:
    """Rows of the series before the split that belong to its successor: behind its last date that is left.

    A date that was deleted before the split stays with the old series. ``living`` are the dates of its rows
    whose source is there.
    """
    last = max(living, default=None)
    return [row for row in gone if last is None or row.day > last]


def _open_still(known: KnownReset, seen: Span, window: Span, found: Sequence[Difference]) -> Judgement:
    differences = _merged(known, window, found)
    if all(each.now is None for each in differences):
        return Judgement(Step.CLOSE, known.shape, seen, ())
    if differences != known.differences:
        return Judgement(Step.REFRESH, known.shape, seen, differences)
    step = Step.EXTEND if seen != known.seen else Step.NOTHING
    return Judgement(step, known.shape, seen, differences)


def _changed_again(known: KnownReset, difference: Difference) -> bool:
    shown = known.get(difference.key)
    if shown is None:
        return known.seen.holds(difference.start)
    return replace(shown, archived=None) != replace(difference, archived=None)


def _merged(known: KnownReset, window: Span, found: Sequence[Difference]) -> tuple[Difference, ...]:
    """What was known outside the window, and what was found in it."""
    keys = {each.key for each in found}
    outside = [each for each in known.differences if not window.holds(each.start) and each.key not in keys]
    return _ordered([*outside, *found])


def _ordered(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(differences, key=_order))


def _order(difference: Difference) -> tuple[datetime, str]:
    return difference.start, difference.key


def _by_day(dated: Iterable[Dated]) -> dict[date, list[Dated]]:
    found: dict[date, list[Dated]] = defaultdict(list)
    for each in sorted(dated, key=lambda one: (one.start, one.key)):
        found[each.day].append(each)
    return found
