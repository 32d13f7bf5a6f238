"""What no step of the matching has taken yet, and what of it is likely the same meeting (domain.md 2.16)."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from datetime import datetime, timedelta

from shared.domain.planning.meeting_facts import GoneRow, MeetingFacts

_A_DAY = timedelta(days=1)
# How far a series may move its occurrences: to another day of the week.
_SERIES_MOVES = timedelta(days=7)
type Key = Callable[[MeetingFacts], Hashable | None]


class MeetingsLeft:
    """The rows and events that no step has taken yet."""

    def __init__(self, rows: Iterable[GoneRow], events: Iterable[MeetingFacts]) -> None:
        self.rows = sorted(rows, key=lambda row: (row.facts.start, row.facts.key))
        self.events = sorted(events, key=lambda event: (event.start, event.key))

    def pair(
        self,
        key: Key,
        applies: Callable[[GoneRow], bool],
        first: Collection[str] = (),
        last: Collection[str] = (),
    ) -> list[tuple[GoneRow, MeetingFacts]]:
        """Remove pairs with equal ``key``. They are interchangeable; copies that count come first.

        If there are too many events, those whose key is in ``first`` come first. If there are too many rows,
        those whose key is in ``last`` come last.
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
            events = sorted(by_key[found], key=lambda event: event.key not in first)[: len(rows)]
            events.sort(key=lambda event: (event.start, event.key))
            ranked = sorted(rows, key=lambda row: (not row.counts, row.only_certain, row.facts.key in last))
            taken = {row.facts.key for row in ranked[: len(events)]}
            pairs += zip((row for row in rows if row.facts.key in taken), events, strict=True)
        self.without({row.facts.key for row, _ in pairs}, {event.key for _, event in pairs})
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
        self.without(rows, events)
        return pairs

    def without(self, rows: Collection[str], events: Collection[str]) -> None:
        """Remove these rows and events, by key."""
        self.rows = [row for row in self.rows if row.facts.key not in rows]
        self.events = [event for event in self.events if event.key not in events]


def _closeness(pair: tuple[GoneRow, MeetingFacts]) -> tuple[timedelta, datetime, str, str]:
    row, event = pair
    return abs(row.facts.start - event.start), row.facts.start, row.facts.key, event.key


def invitation(facts: MeetingFacts) -> Hashable | None:
    return (facts.ical_uid, facts.slot) if facts.ical_uid else None


def successor(facts: MeetingFacts) -> Hashable | None:
    if facts.series is None or not facts.timed:
        return None
    return facts.title, facts.organizer, facts.original_date


def entry(facts: MeetingFacts) -> Hashable | None:
    return facts.title, facts.organizer, facts.start, facts.end


def same_day(facts: MeetingFacts) -> Hashable | None:
    return (facts.title, facts.organizer, facts.day) if facts.title and facts.timed else None


def moment(facts: MeetingFacts) -> Hashable | None:
    return facts.start if facts.timed and facts.start == facts.end else None


def in_its_place(left: MeetingsLeft, added: Iterable[MeetingFacts]) -> list[tuple[GoneRow, MeetingFacts]]:
    """Rows without an archived copy, with the events that replace them. That is certain enough (2.16).

    The ``added`` days of a changed series are among these events, for rows of this series.
    """
    by_series: dict[str, list[MeetingFacts]] = defaultdict(list)
    for event in (*left.events, *added):
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
    return [*found, *left.take(intersecting(waiting, timed))]


def counts(row: GoneRow) -> bool:
    return row.known and row.counts


def of_one_subject(left: MeetingsLeft, others: Collection[str] = ()) -> list[tuple[GoneRow, MeetingFacts]]:
    """Copies that count, with the events that share an instant with them: of one subject, or ``others``."""
    rows = [row for row in left.rows if counts(row) and row.facts.title and row.facts.timed]
    rows = [row for row in rows if row.copy_start < row.copy_end]
    events = [event for event in left.events if event.timed and event.start < event.end]
    found = intersecting(rows, events)
    return [(row, event) for row, event in found if row.facts.title == event.title or event.key in others]


def for_step_e(left: MeetingsLeft) -> set[str]:
    """Keys of copies that count, if an event that d matches with none of them lies within their time."""
    wanted = {same_day(row.facts) for row in left.rows if counts(row)}
    others = {event.key for event in left.events if same_day(event) not in wanted}
    return {row.facts.key for row, event in of_one_subject(left, others) if event.key in others}


def in_its_time(left: MeetingsLeft, waiting: Collection[str]) -> list[tuple[GoneRow, MeetingFacts]]:
    """Copies whose time a new event takes, while 2.16 d finds one at another time.

    The former has the same subject and another organizer, or it waits already. If the latter waited instead,
    these minutes would count twice.
    """
    kept = [event for event in left.events if event.key in waiting]
    others = {each.key for each in kept if not any(_is_likely(row, each) for row in left.rows)}
    there = of_one_subject(left, others)
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
    named = counts(row) and _name(row.facts) == _name(event) and same_day(row.facts) is not None
    return named and (same_day(row.facts) == same_day(event) or _is_within_a_day(row, event))


def _is_within_a_day(row: GoneRow, event: MeetingFacts) -> bool:
    single = row.facts.series is None and event.series is None
    return single and event.late and event.timed and abs(event.start - row.facts.start) <= _A_DAY


def within_a_day(left: MeetingsLeft) -> list[tuple[GoneRow, MeetingFacts]]:
    """Copies that count, with late events at most one day away and the same subject (2.16 d).

    Single events only. Other days of a series follow 2.17.
    """
    named: dict[Hashable, list[GoneRow]] = defaultdict(list)
    for row in left.rows:
        if counts(row) and row.facts.timed and row.facts.title and row.facts.series is None:
            named[_name(row.facts)].append(row)
    late = [event for event in left.events if event.late]
    return left.take(
        (row, each) for each in late for row in named[_name(each)] if _is_within_a_day(row, each)
    )


def intersecting(
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
