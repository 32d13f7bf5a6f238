"""Finds new events that are meetings which already have a copy (domain.md 2.16).

This is a pure function. It takes facts: map rows whose source is gone, and source events without a row. It
returns certain pairs, and doubts that a person must decide.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.planning.meeting_facts import MeetingFacts

_A_DAY = timedelta(days=1)
# How far a series may move its occurrences: to another day of the week.
_SERIES_MOVES = timedelta(days=7)
type _Node = tuple[str, str]


class MatchStep(StrEnum):
    """Why a row and an event are the same meeting: domain.md 2.16 a, b, c, or the owner's answer.

    - ``not_archived_yet``: nothing of the row was archived, so nobody is asked (2.16 d).
    - ``series_taken``: the owner takes a changed series, and both have the same date (2.17).
    """

    SAME_INVITATION = "same_invitation"
    SUCCESSOR = "successor"
    ENTERED_AGAIN = "entered_again"
    NOT_ARCHIVED_YET = "not_archived_yet"
    SERIES_TAKEN = "series_taken"
    ONE_MEETING = "one_meeting"


@dataclass(frozen=True, slots=True)
class GoneRow:
    """A row of the map whose source is gone."""

    facts: MeetingFacts
    #: It has a copy that counts as time.
    counts: bool
    #: Start of the copy, UTC, after modifications, as is ``copy_end``.
    copy_start: datetime
    copy_end: datetime
    #: False for a row without a record: only invitation and slot are known.
    known: bool = True
    #: It has no copy because its overlap is undecided.
    waits: bool = False
    #: Only a to c may give its copy away: its event went to another calendar. Or a former duplicate lies in
    #: the time of the copy, and takes it over if they give it to nobody (2.9).
    only_certain: bool = False

    def shares_time(self, facts: MeetingFacts) -> bool:
        """Whether the meeting shares some time with the copy."""
        return self.copy_start < facts.end and facts.start < self.copy_end


@dataclass(frozen=True, slots=True)
class Pair:
    """The row with key ``row`` is the meeting of the event with key ``event``."""

    row: str
    event: str
    step: MatchStep


@dataclass(frozen=True, slots=True)
class Doubt:
    """Rows and events that are likely the same meetings: one item for their owner (domain.md 2.16 d, e).

    There are at most as many ``events`` as ``rows``. The events wait.
    """

    rows: tuple[str, ...]
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """The result. Every row and every event is in it at most once."""

    pairs: tuple[Pair, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether every new event is simply new."""
        return not self.pairs and not self.doubts


def possible_predecessors(rows: Iterable[GoneRow], events: Iterable[MeetingFacts]) -> set[str]:
    """Keys of rows that step b would pair if their series were gone or ended before their date."""
    wanted = {_successor(event) for event in events} - {None}
    return {row.facts.key for row in rows if row.known and _successor(row.facts) in wanted}


def match_meetings(
    rows: Sequence[GoneRow],
    events: Sequence[MeetingFacts],
    ended: Collection[str],
    waiting: Collection[str] = (),
) -> Matching:
    """Match rows with new events, step by step, each among the rest of the steps before (domain.md 2.16).

    ``ended`` are the keys of rows whose series is gone or ends before their original date. ``waiting`` events
    keep waiting if they could be exchanged with others. The order of the input does not matter.
    """
    left = _Left(rows, events)
    steps: tuple[tuple[MatchStep, _Key, Callable[[GoneRow], bool]], ...] = (
        (MatchStep.SAME_INVITATION, _invitation, lambda row: True),
        (MatchStep.SUCCESSOR, _successor, lambda row: row.known and row.facts.key in ended),
        (MatchStep.ENTERED_AGAIN, _entry, lambda row: row.known),
    )
    pairs: list[Pair] = []
    for step, key, applies in steps:
        for row, event in left.pair(key, applies):
            pairs.append(Pair(row.facts.key, event.key, step))
    left.rows = [row for row in left.rows if not row.only_certain]
    left.events = [event for event in left.events if not event.added]
    likely = _in_its_time(left, waiting)
    likely += left.pair(_same_day, _counts, {event.key for _, event in _of_one_subject(left)})
    likely += _within_a_day(left)
    likely += left.pair(_moment, _counts)
    doubts = [Doubt((row.facts.key,), (event.key,)) for row, event in likely]
    undecided = left.pair(_same_day, lambda row: row.known and row.waits)
    undecided += left.pair(_moment, lambda row: row.known and row.waits)
    doubts += _meeting_in_time(left, waiting)
    undecided += _in_its_place(left)
    pairs += [Pair(row.facts.key, event.key, MatchStep.NOT_ARCHIVED_YET) for row, event in undecided]
    return Matching(tuple(pairs), _by_series(doubts, rows, events))


def closest(rows: Sequence[tuple[str, datetime]], events: Sequence[tuple[str, datetime]]) -> dict[str, str]:
    """Pairs (event by row) from keys with starts: the closest in time first, then the earliest.

    As many pairs as possible. For rows and events that a person declared to be the same meetings.
    """
    ranked = sorted((abs(start - other), start, row, event) for row, start in rows for event, other in events)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for _, _, row, event in ranked:
        if row not in found and event not in taken:
            found[row] = event
            taken.add(event)
    return found


type _Key = Callable[[MeetingFacts], Hashable | None]


def _by_series(
    doubts: Sequence[Doubt], rows: Iterable[GoneRow], events: Iterable[MeetingFacts]
) -> tuple[Doubt, ...]:
    """Joins doubts about one series, old or new, into one, so that the owner is asked once."""
    series = {each.key: each.series for each in (*(row.facts for row in rows), *events)}
    parts = _Parts()
    for number, doubt in enumerate(doubts):
        parts.join(("doubt", str(number)), ("doubt", str(number)))
        for key in (*doubt.rows, *doubt.events):
            if series[key] is not None:
                parts.join(("doubt", str(number)), ("series", str(series[key])))
    together = [[doubts[int(n)] for kind, n in sorted(part) if kind == "doubt"] for part in parts.groups()]
    merged = (
        Doubt(
            tuple(key for each in group for key in each.rows),
            tuple(key for each in group for key in each.events),
        )
        for group in together
    )
    return tuple(sorted(merged, key=lambda doubt: doubt.rows))


class _Left:
    """The rows and events that no step has taken yet."""

    def __init__(self, rows: Iterable[GoneRow], events: Iterable[MeetingFacts]) -> None:
        self.rows = sorted(rows, key=lambda row: (row.facts.start, row.facts.key))
        self.events = sorted(events, key=lambda event: (event.start, event.key))

    def pair(
        self, key: _Key, applies: Callable[[GoneRow], bool], before: Collection[str] = ()
    ) -> list[tuple[GoneRow, MeetingFacts]]:
        """Remove pairs with equal ``key``. They are interchangeable; copies that count come first.

        If there are too many events, those whose key is in ``before`` come first.
        """
        by_key: dict[Hashable, list[MeetingFacts]] = defaultdict(list)
        for event in self.events:
            if (found := key(event)) is not None:
                by_key[found].append(event)
        rows_by_key: dict[Hashable, list[GoneRow]] = defaultdict(list)
        for row in self.rows:
            found = key(row.facts) if applies(row) else None
            if found is not None and found in by_key:
                rows_by_key[found].append(row)
        pairs: list[tuple[GoneRow, MeetingFacts]] = []
        for found, rows in rows_by_key.items():
            events = sorted(by_key[found], key=lambda event: event.key not in before)[: len(rows)]
            events.sort(key=lambda event: (event.start, event.key))
            first = sorted(rows, key=lambda row: (not row.counts, row.only_certain))[: len(events)]
            chosen = [row for row in rows if row in first]
            pairs += zip(chosen, events, strict=True)
        self._without({row.facts.key for row, _ in pairs}, {event.key for _, event in pairs})
        return pairs

    def take(self, likely: Iterable[tuple[GoneRow, MeetingFacts]]) -> list[tuple[GoneRow, MeetingFacts]]:
        """Remove pairs among the ``likely`` ones: the closest in time first, then the earliest."""
        pairs: list[tuple[GoneRow, MeetingFacts]] = []
        rows: set[str] = set()
        events: set[str] = set()
        for row, event in sorted(likely, key=_closeness):
            if row.facts.key not in rows and event.key not in events:
                pairs.append((row, event))
                rows.add(row.facts.key)
                events.add(event.key)
        self._without(rows, events)
        return pairs

    def drop(self, doubts: Iterable[Doubt]) -> None:
        """Remove everything that the doubts are about."""
        doubts = list(doubts)
        self._without({key for each in doubts for key in each.rows}, {k for d in doubts for k in d.events})

    def _without(self, rows: Collection[str], events: Collection[str]) -> None:
        self.rows = [row for row in self.rows if row.facts.key not in rows]
        self.events = [event for event in self.events if event.key not in events]


def _closeness(pair: tuple[GoneRow, MeetingFacts]) -> tuple[timedelta, datetime, str, str]:
    row, event = pair
    return abs(row.facts.start - event.start), row.facts.start, row.facts.key, event.key


def _invitation(facts: MeetingFacts) -> Hashable | None:
    return (facts.ical_uid, facts.slot) if facts.ical_uid else None


def _successor(facts: MeetingFacts) -> Hashable | None:
    if facts.series is None or not facts.timed:
        return None
    return facts.title, facts.organizer, facts.original_date


def _entry(facts: MeetingFacts) -> Hashable | None:
    return facts.title, facts.organizer, facts.start, facts.end


def _same_day(facts: MeetingFacts) -> Hashable | None:
    return (facts.title, facts.organizer, facts.day) if facts.title and facts.timed else None


def _moment(facts: MeetingFacts) -> Hashable | None:
    return facts.start if facts.timed and facts.start == facts.end else None


def _in_its_place(left: "_Left") -> list[tuple[GoneRow, MeetingFacts]]:
    """Rows without an archived copy, with the events that replace them. That is certain enough (2.16)."""
    by_series: dict[str, list[MeetingFacts]] = defaultdict(list)
    for event in left.events:
        if event.timed and event.series is not None:
            by_series[event.series].append(event)
    found = left.take(
        (row, event)
        for row in left.rows
        if row.known and row.waits and row.facts.timed and row.facts.series in by_series
        for event in by_series[row.facts.series]
        if abs(event.start - row.facts.start) <= _SERIES_MOVES
    )
    timed = [event for event in left.events if event.timed and event.start < event.end]
    waiting = [row for row in left.rows if row.known and row.waits and row.copy_start < row.copy_end]
    return [*found, *left.take(_intersecting(waiting, timed))]


def _counts(row: GoneRow) -> bool:
    return row.known and row.counts


def _of_one_subject(left: "_Left", others: Collection[str] = ()) -> list[tuple[GoneRow, MeetingFacts]]:
    """Copies that count, with the events that share an instant with them: of one subject, or ``others``."""
    rows = [row for row in left.rows if _counts(row) and row.facts.title and row.facts.timed]
    rows = [row for row in rows if row.copy_start < row.copy_end]
    events = [event for event in left.events if event.timed and event.start < event.end]
    found = _intersecting(rows, events)
    return [(row, event) for row, event in found if row.facts.title == event.title or event.key in others]


def _in_its_time(left: "_Left", waiting: Collection[str]) -> list[tuple[GoneRow, MeetingFacts]]:
    """Copies whose time a new event takes, while 2.16 d finds one at another time.

    The former has the same subject and another organizer, or it waits already. If the latter waited instead,
    these minutes would count twice.
    """
    kept = [event for event in left.events if event.key in waiting]
    others = {each.key for each in kept if not any(_is_likely(row, each) for row in left.rows)}
    there = _of_one_subject(left, others)
    own = {row.facts.key for row, event in there if _name(event) == _name(row.facts)}
    elsewhere: dict[Hashable, list[MeetingFacts]] = defaultdict(list)
    for event in left.events:
        elsewhere[_name(event), event.day].append(event)

    def found_elsewhere(row: GoneRow) -> bool:
        days = [row.facts.day + n * _A_DAY for n in range(-2, 3)]
        return any(_is_likely(row, other) for day in days for other in elsewhere[_name(row.facts), day])

    return left.take((r, event) for r, event in there if r.facts.key not in own and found_elsewhere(r))


def _name(facts: MeetingFacts) -> Hashable:
    return facts.title, facts.organizer


def _is_likely(row: GoneRow, event: MeetingFacts) -> bool:
    named = _counts(row) and _name(row.facts) == _name(event) and _same_day(row.facts) is not None
    return named and (_same_day(row.facts) == _same_day(event) or _is_within_a_day(row, event))


def _is_within_a_day(row: GoneRow, event: MeetingFacts) -> bool:
    single = row.facts.series is None and event.series is None
    return single and event.late and event.timed and abs(event.start - row.facts.start) <= _A_DAY


def _within_a_day(left: "_Left") -> list[tuple[GoneRow, MeetingFacts]]:
    """Copies that count, with late events at most one day away and the same subject (2.16 d).

    Single events only. Other days of a series follow 2.17.
    """
    named: dict[Hashable, list[GoneRow]] = defaultdict(list)
    for row in left.rows:
        if _counts(row) and row.facts.timed and row.facts.title and row.facts.series is None:
            named[_name(row.facts)].append(row)
    late = [event for event in left.events if event.late]
    return left.take(
        (row, each) for each in late for row in named[_name(each)] if _is_within_a_day(row, each)
    )


def _meeting_in_time(left: "_Left", waiting: Collection[str]) -> list[Doubt]:
    """Other new events within the time of a copy that counts (domain.md 2.16 e).

    Connected ones form one doubt. As many events wait as there are rows, first those that start with one.
    The rest are new.
    """
    counting = [row for row in left.rows if _counts(row) and row.copy_start < row.copy_end]
    timed = [event for event in left.events if event.timed and event.start < event.end]
    parts = _Parts()
    for row, event in _intersecting(counting, timed):
        parts.join(("row", row.facts.key), ("event", event.key))
    doubts: list[Doubt] = []
    for part in parts.groups():
        old = [row.facts.key for row in counting if ("row", row.facts.key) in part]
        starts = {row.facts.start for row in counting if ("row", row.facts.key) in part}
        new = [event for event in timed if ("event", event.key) in part]
        new.sort(key=lambda event: (event.start not in starts, event.key not in waiting))
        doubts.append(Doubt(tuple(old), tuple(event.key for event in new[: len(old)])))
    left.drop(doubts)
    return doubts


def _intersecting(
    rows: Sequence[GoneRow], events: Sequence[MeetingFacts]
) -> Iterable[tuple[GoneRow, MeetingFacts]]:
    """Every row with every event that shares an instant with it, in one sweep."""
    starts: list[tuple[datetime, int, GoneRow | MeetingFacts]] = sorted(
        [(row.copy_start, 0, row) for row in rows] + [(event.start, 1, event) for event in events],
        key=lambda each: each[:2],
    )
    open_rows: list[GoneRow] = []
    open_events: list[MeetingFacts] = []
    for start, _, item in starts:
        open_rows = [row for row in open_rows if row.copy_end > start]
        open_events = [event for event in open_events if event.end > start]
        if isinstance(item, GoneRow):
            yield from ((item, event) for event in open_events)
            open_rows.append(item)
        else:
            yield from ((row, item) for row in open_rows)
            open_events.append(item)


class _Parts:
    """Connected components."""

    def __init__(self) -> None:
        self._above: dict[_Node, _Node] = {}

    def join(self, one: _Node, other: _Node) -> None:
        self._above[self._top(one)] = self._top(other)

    def groups(self) -> list[set[_Node]]:
        found: dict[_Node, set[_Node]] = defaultdict(set)
        for node in self._above:
            found[self._top(node)].add(node)
        return list(found.values())

    def _top(self, node: _Node) -> _Node:
        self._above.setdefault(node, node)
        while self._above[node] != node:
            node = self._above[node]
        return node
