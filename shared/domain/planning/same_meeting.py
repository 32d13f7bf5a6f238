"""Finds new events that are meetings which already have a copy (domain.md 2.16).

This is a pure function. It takes facts: map rows whose source is gone, and source events without a row. It
returns certain pairs, and doubts that a person must decide.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.planning.meeting_facts import GoneRow, MeetingFacts
from shared.domain.planning.meetings_left import (
    Key,
    MeetingsLeft,
    counts,
    entry,
    for_step_e,
    in_its_place,
    in_its_time,
    intersecting,
    invitation,
    moment,
    of_one_subject,
    same_day,
    successor,
    within_a_day,
)

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

    def matched(self, events: Collection[str]) -> int:
        """How many of these events are not simply new."""
        found = {key for doubt in self.doubts for key in doubt.events} | {pair.event for pair in self.pairs}
        return len(found.intersection(events))


def possible_predecessors(rows: Iterable[GoneRow], events: Iterable[MeetingFacts]) -> set[str]:
    """Keys of rows that step b would pair if their series were gone or ended before their date."""
    wanted = {successor(event) for event in events} - {None}
    return {row.facts.key for row in rows if row.known and successor(row.facts) in wanted}


def match_meetings(
    rows: Sequence[GoneRow],
    events: Sequence[MeetingFacts],
    ended: Collection[str],
    waiting: Collection[str] = (),
) -> Matching:
    """Match rows with new events, step by step, each among the rest of the steps before (domain.md 2.16).

    ``ended`` are the keys of rows whose series is gone or ends before their original date. ``waiting`` events
    keep waiting if they could be exchanged with others. They keep the time of their row only if more of them
    wait then: a newer event may be matched with that row. The order of the input does not matter.
    """
    found = _in_steps(rows, events, ended, waiting, ())
    kept = _in_steps(rows, events, ended, waiting, waiting) if waiting else found
    return max(found, kept, key=lambda each: each.matched(waiting))


def _in_steps(
    rows: Sequence[GoneRow],
    events: Sequence[MeetingFacts],
    ended: Collection[str],
    waiting: Collection[str],
    keeping_time: Collection[str],
) -> Matching:
    left = MeetingsLeft(rows, events)
    steps: tuple[tuple[MatchStep, Key, Callable[[GoneRow], bool]], ...] = (
        (MatchStep.SAME_INVITATION, invitation, lambda row: True),
        (MatchStep.SUCCESSOR, successor, lambda row: row.known and row.facts.key in ended),
        (MatchStep.ENTERED_AGAIN, entry, lambda row: row.known),
    )
    pairs: list[Pair] = []
    for step, key, applies in steps:
        for row, event in left.pair(key, applies):
            pairs.append(Pair(row.facts.key, event.key, step))
    left.rows = [row for row in left.rows if not row.only_certain]
    added = [event for event in left.events if event.added]
    left.events = [event for event in left.events if not event.added]
    likely = in_its_time(left, keeping_time)
    in_time = {event.key for _, event in of_one_subject(left)}
    likely += left.pair(same_day, counts, in_time, for_step_e(left))
    likely += within_a_day(left)
    likely += left.pair(moment, counts)
    doubts = [Doubt((row.facts.key,), (event.key,)) for row, event in likely]
    undecided = left.pair(same_day, lambda row: row.known and row.waits)
    undecided += left.pair(moment, lambda row: row.known and row.waits)
    doubts += _meeting_in_time(left, waiting)
    undecided += in_its_place(left, added)
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


def _meeting_in_time(left: MeetingsLeft, waiting: Collection[str]) -> list[Doubt]:
    """Other new events within the time of a copy that counts (domain.md 2.16 e).

    Connected ones form one doubt. As many events wait as there are rows, first those that start with one.
    The rest are new.
    """
    counting = [row for row in left.rows if counts(row) and row.copy_start < row.copy_end]
    timed = [event for event in left.events if event.timed and event.start < event.end]
    parts = _Parts()
    for row, event in intersecting(counting, timed):
        parts.join(("row", row.facts.key), ("event", event.key))
    rows = {("row", row.facts.key): row.facts for row in counting}
    events = {("event", event.key): event for event in timed}
    doubts: list[Doubt] = []
    for part in parts.groups():
        old = sorted((each.start, each.key) for node in part if (each := rows.get(node)) is not None)
        starts = {start for start, _ in old}
        new = sorted(
            (each.start not in starts, each.key not in waiting, each.start, each.key)
            for node in part
            if (each := events.get(node)) is not None
        )
        doubts.append(Doubt(tuple(key for _, key in old), tuple(key for *_, key in new[: len(old)])))
    left.without({key for each in doubts for key in each.rows}, {k for d in doubts for k in d.events})
    return doubts


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
