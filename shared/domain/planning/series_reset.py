"""A changed series and its archive: one question for the whole series (domain.md 2.17).

A *difference* is one date on which the two differ. The differences of a series form one action item. Each
plan sees one window, so the item grows and shrinks window by window. ``judge`` decides what happens to the
item. ``takes`` decides which differences the answer *take the series* covers.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from shared.domain.events.source_event import SourceEvent
from shared.domain.times.zones import find_zone


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A meeting of a series on one side, as archived or as the calendar shows it. Times are UTC."""

    key: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """The archived meeting, and what the series shows instead. At most one of them is None.

    Without ``archived``, the series shows a day that was archived without it. Without ``now``, the series no
    longer shows the archived meeting.
    """

    archived: Occurrence | None
    now: Occurrence | None

    @property
    def key(self) -> str:
        """The source key of the difference. Both sides have the same key."""
        return self._side.key

    @property
    def start(self) -> datetime:
        """The instant that decides its window: that of the copy, if there is one (domain.md 2.2)."""
        return self._side.start

    @property
    def _side(self) -> Occurrence:
        side = self.archived or self.now
        assert side is not None  # noqa: S101 - a difference has a side
        return side


class Standing(StrEnum):
    """The standing of a series question.

    - ``open``: it waits.
    - ``kept``: the archive stays, on the owner's word or by expiry.
    - ``taken``: the archive becomes what the series shows.
    """

    OPEN = "open"
    KEPT = "kept"
    TAKEN = "taken"


class ResetStep(StrEnum):
    """What a plan does with the item of a series.

    ``extend``: more of the same change, or more of the calendar was read. Nobody is asked again.
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
        """Whether the instant is inside."""
        return self.start <= instant < self.end

    def joined(self, other: "Span") -> "Span":
        """The smallest span that contains both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True, slots=True)
class KnownReset:
    """The item of a series."""

    standing: Standing
    #: What its plain occurrences had in common when the question was asked.
    shape: str
    #: The range of the windows that were compared since the series has this shape.
    seen: Span
    differences: tuple[Difference, ...]

    def get(self, key: str) -> Difference | None:
        """The difference with this key."""
        return next((each for each in self.differences if each.key == key), None)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What happens to the item, and its differences from now on."""

    step: ResetStep
    shape: str = ""
    seen: Span | None = None
    differences: tuple[Difference, ...] = ()


def shape_of(event: SourceEvent) -> str:
    """What all plain occurrences of a series share at a time: time of day, length, and how it is shown.

    Equal shapes mean the same change of the series, whatever the date.
    """
    if event.is_all_day:
        time_of_day = ""
    else:
        zone = find_zone(event.start_zone)
        # The wall time in an unknown zone is not known, so the rest is compared.
        time_of_day = f"{event.start.astimezone(zone):%H:%M:%S}" if zone else "?"
    length = int((event.end - event.start).total_seconds())
    return "|".join((event.start_zone, time_of_day, str(length), str(event.is_all_day), event.show_as))


def judge(
    known: KnownReset | None,
    shape: str | None,
    window: Span,
    found: Sequence[Difference],
    taken: Iterable[Difference] = (),
) -> Judgement:
    """What a plan of ``window`` does after it found these differences of the series, or none.

    ``shape`` is that of the series if a plain occurrence was read. A question is asked only once. A decided
    question is asked again only if the series changed again. Then it has another shape, or differs in another
    way on a day that was read before. A meeting that vanished alone is no change of the series.

    ``taken`` are differences that the answer covers. The item keeps them: a write that is refused or lost
    leaves the difference, and the answer still holds for it.
    """
    found = sorted(found, key=_order)
    asked = [each for each in found if each.now is not None]
    if known is None:
        if not asked or shape is None:
            return Judgement(ResetStep.NOTHING)
        return Judgement(ResetStep.OPEN, shape, window, tuple(found))
    if asked and shape is not None and shape != known.shape:
        step = ResetStep.REFRESH if known.standing is Standing.OPEN else ResetStep.REOPEN
        return Judgement(step, shape, window, tuple(found))
    seen = known.seen.joined(window)
    if known.standing is Standing.OPEN:
        return _open_still(known, seen, window, found)
    if any(_changed_again(known, each) for each in asked):
        return Judgement(ResetStep.REOPEN, known.shape, seen, _merged(known, window, found))
    more = [
        each for each in (*found, *taken) if known.get(each.key) is None and not known.seen.holds(each.start)
    ]
    if not more and seen == known.seen:
        return Judgement(ResetStep.NOTHING, known.shape, known.seen, known.differences)
    return Judgement(ResetStep.EXTEND, known.shape, seen, _ordered([*known.differences, *more]))


def takes(known: KnownReset, shape: str | None, difference: Difference) -> bool:
    """Whether *take the series* covers this difference: it was shown, or is more of the same change.

    ``shape`` is that of the series now. None if no plain occurrence was read.
    """
    if known.standing is not Standing.TAKEN or shape not in (None, known.shape):
        return False
    shown = known.get(difference.key)
    if shown is None:
        return not known.seen.holds(difference.start)
    return shown.now == difference.now


def outlasting(old: Iterable[Difference], new: Mapping[str, bool]) -> set[str]:
    """Keys of vanished meetings whose copies stay, though the owner takes the series.

    ``old`` are the meetings that the series no longer shows. ``new`` are the days that replace them, and
    whether the series still shows each. A day that it no longer shows keeps one copy, unless enough other
    days are there. Else the meeting would count on neither day.
    """
    ordered, there = sorted(old, key=_order), sum(new.values())
    return {each.key for each in ordered[: min(len(new) - there, max(0, len(ordered) - there))]}


@dataclass(frozen=True, slots=True)
class Dated:
    """A row whose source is gone, or an event without a row, on its local date."""

    key: str
    day: date
    start: datetime


def take_series(rows: Iterable[Dated], events: Iterable[Dated]) -> list[tuple[str, str]]:
    """Pair rows and events of one series by date: the copy of the row becomes that of the event.

    Several on one date pair in order of start. Returns keys. The copies of rows without an event are
    superseded, and events without a row are archived. A row and an event with the same key are paired already
    and not passed here.
    """
    rows_by_day, events_by_day = _by_day(rows), _by_day(events)
    return [
        (row.key, event.key)
        for day in sorted(rows_by_day)
        for row, event in zip(rows_by_day[day], events_by_day[day], strict=False)
    ]


def of_predecessor(gone: Iterable[Dated], living: Collection[date]) -> list[Dated]:
    """Rows of the series before a split that belong to its successor: after its last remaining date.

    A date that was deleted before the split stays with the old series. ``living`` are the dates of its rows
    whose source still exists.
    """
    last = max(living, default=None)
    return [row for row in gone if last is None or row.day > last]


def _open_still(known: KnownReset, seen: Span, window: Span, found: Sequence[Difference]) -> Judgement:
    differences = _merged(known, window, found)
    if all(each.now is None for each in differences):
        return Judgement(ResetStep.CLOSE, known.shape, seen, ())
    if differences != known.differences:
        return Judgement(ResetStep.REFRESH, known.shape, seen, differences)
    step = ResetStep.EXTEND if seen != known.seen else ResetStep.NOTHING
    return Judgement(step, known.shape, seen, differences)


def _changed_again(known: KnownReset, difference: Difference) -> bool:
    shown = known.get(difference.key)
    if shown is None:
        return known.seen.holds(difference.start)
    return replace(shown, archived=None) != replace(difference, archived=None)


def _merged(known: KnownReset, window: Span, found: Sequence[Difference]) -> tuple[Difference, ...]:
    """The known differences outside the window, and the new ones inside it."""
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
