"""The archive judged from the calendar's side: which minutes are covered how often, and by how many meetings.

It knows nothing of keys, plans or rows. It reads what the calendars held at every moment, in Graph's JSON,
and what their owner did and answered. Each entry says in its body which meeting it is about (``meeting_of``),
as people know it. So does each copy. Three things are judged, meeting by meeting:

- No minute counts twice. At most as many copies of a meeting cover a minute as the calendar itself showed
  there at one time.
- Nothing is counted twice. There are at most as many copies of a meeting as times that a person would say it
  took place. The person who makes the edits knows. A series moved by an hour is the same five meetings. One
  entered again is the same.
- Nothing is lost. What the calendar showed unchanged from the day it was entered is covered by a copy. A copy
  that existed once stays, and counts as long as nobody said otherwise. If it had ended, it moves neither
  into the future nor with its series.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tests.simulation.epoch import EPOCH
from tests.simulation.mailbox import Moment
from tests.simulation.rules import Policies, modifies, unwanted_item
from tests.simulation.source_keys import Json, archive_key_of, is_superseded, meeting_of, source_of

type Span = tuple[int, int]

# How far from a meeting an entry may begin that is about it (domain.md 4).
_NEAR_MINUTES = 6
# How wrong the clocks of hosts may be.
_CLOCKS_MINUTES = 60
# How far the clocks of the world are from UTC.
_DAY_EDGE = 14 * 60


@dataclass(frozen=True, slots=True)
class Moved:
    """A copy that stands at another time than at an instant of rest before."""

    at: datetime
    before: Json
    now: Json

    @property
    def had_ended(self) -> bool:
        """Whether it had ended at that instant, by every clock."""
        return _reach(self.before)[1] + _CLOCKS_MINUTES < self._rest

    @property
    def goes_ahead(self) -> bool:
        """Whether it stands after that instant now."""
        return self._rest < _reach(self.now)[0] - _CLOCKS_MINUTES

    @property
    def _rest(self) -> int:
        return int(self.at.timestamp()) // 60


@dataclass(slots=True)
class Past:
    """What the calendars held, and what their owner did and said."""

    moments: Sequence[Moment]
    #: The largest number of times that a person would say a meeting took place.
    meetings: Mapping[int, int]
    #: Meetings whose copies the owner changed or deleted.
    touched: Set[int]
    #: Meetings that an open question is about: one of them waits.
    asked: Set[int]
    #: The copies that stood at some moment of rest, by Graph's id.
    stood: Mapping[str, Json]
    #: Copies that were seen to move.
    moved: Sequence[Moved] = ()
    #: Graph's ids of the days that a question says are new in a changed series (domain.md 2.17).
    asked_days: Set[str] = frozenset()
    #: Meetings of changed series whose question is open or was answered *keep what is archived*.
    series_asked: Set[int] = frozenset()
    #: Meetings about which their owner answered something.
    answered: Set[int] = frozenset()
    #: How many meetings more their owner said took place, in whatever minute.
    more: Mapping[int, int] = field(default_factory=dict)
    #: Meetings whose old copy an answer may have superseded: shown free, it counts no more.
    superseded: Set[int] = frozenset()
    #: Archive keys of copies that the owner left out when they decided an overlap.
    left_out: Set[str] = frozenset()
    #: Whether the owner decided some overlap: then what overlaps may be left out, whatever the policy.
    decided: bool = False
    #: Local days that are locked, as minutes.
    locked: Sequence[Span] = ()


@dataclass(slots=True)
class _Meeting:
    """One meeting's spans: at each moment in the source, and of its copies that count."""

    at: list[list[Span]] = field(default_factory=list)
    #: The most occurrences of one date (UTC) that a moment showed.
    days: Counter[str] = field(default_factory=Counter)
    copies: list[Span] = field(default_factory=list)
    #: Spans whose copies count no time (domain.md 2.18): cancelled, declined, or left out by a decision.
    idle: list[Span] = field(default_factory=list)

    @property
    def taking_place(self) -> list[Span]:
        """The copies, without those that count no time."""
        return sorted((Counter(self.copies) - Counter(self.idle)).elements())


class Minutes:
    """Judges one archive calendar."""

    def __init__(self, past: Past, copies: Iterable[Json], policies: Policies) -> None:
        self._past = past
        self._copies = list(copies)
        self._policies = policies
        self._meetings: dict[int, _Meeting] = defaultdict(_Meeting)
        self._entries: set[Span] = set()
        for moment in past.moments:
            self._add(moment)
        last = {item["id"]: item for moment in past.moments for item in (*moment.elsewhere, *moment.source)}
        for item in last.values():
            if not _takes_place(item):
                self._meetings[meeting_of(item)].idle.append(_span(item))
        for copy in self._copies:
            if _counts(copy):
                self._meetings[meeting_of(copy)].copies.append(_span(copy))
            if archive_key_of(copy) in past.left_out:
                self._meetings[meeting_of(copy)].idle.append(_span(copy))

    def judge(self) -> list[str]:
        """Everything that a person would say is wrong."""
        problems = [
            f"a copy says nothing of the meeting it is about: {copy['subject']!r}"
            for copy in self._copies
            if not meeting_of(copy) and not copy["subject"].startswith("By hand")
        ]
        for number, meeting in sorted(self._meetings.items()):
            problems += self._doubled(number, meeting)
        return [*problems, *self._lost(), *self._fallen(), *self._rewritten()]

    @property
    def counted(self) -> int:
        """How many minutes the copies that count cover, each as often as it is covered."""
        return sum(end - start for each in self._meetings.values() for start, end in each.copies)

    def _add(self, moment: Moment) -> None:
        found: dict[int, set[tuple[Span, str, bool]]] = defaultdict(set)
        archived = {item["id"] for item in moment.source}
        for item in (*moment.source, *moment.elsewhere):
            span = _span(item)
            # Duplicates of one calendar are one for everybody who looks (domain.md 2.9).
            found[meeting_of(item)].add((span, _look(item), item["id"] in archived))
            if modifies(item["subject"]) is not None:
                self._entries.add((span[0] - _NEAR_MINUTES, span[1] + _NEAR_MINUTES))
        for number, items in found.items():
            self._meetings[number].at.append([span for span, _, _ in items])
        shown = Counter(
            (meeting_of(item), item["originalStart"][:10])
            for item in (*moment.source, *moment.elsewhere)
            if item["type"] in ("occurrence", "exception")
        )
        for (number, day), times in shown.items():
            days = self._meetings[number].days
            days[day] = max(days[day], times)

    def _doubled(self, number: int, meeting: _Meeting) -> list[str]:
        if number in self._past.touched:
            return []
        problems = []
        most, copies = self._past.meetings.get(number, 0), meeting.taking_place
        if len(copies) > most:
            problems.append(f"meeting {number} counts {len(copies)} times, a person says {most}")
        for minute, covered in _heights(copies):
            allowed = max((_height(spans, minute) for spans in meeting.at), default=0)
            allowed += self._past.more.get(number, 0)
            # Two of one series may meet where one was moved after the other had ended.
            alike = max(Counter(each for each in copies if each[0] <= minute < each[1]).values())
            # So may those of one date, of which a series moved one on after it was archived.
            on_day = meeting.days[f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%d}"]
            if min(covered, alike) > max(allowed, 1 if most > 1 else 0, on_day) and not (
                covered <= most and _height(self._entries, minute)
            ):
                what = f"{covered} times, its calendar did {allowed} times"
                problems.append(f"meeting {number} covers {_told(minute)} {what}")
                break
        return problems

    def _lost(self) -> list[str]:
        """What was always there, takes place and is wanted is covered."""
        last = self._past.moments[-1].source
        problems = []
        for item in last:
            number, span = meeting_of(item), _span(item)
            if not self._sure(item, number, span, last):
                continue
            copies = self._meetings[number].copies
            edges = {span[0], *(end for _, end in copies if span[0] <= end < span[1])}
            bare = [minute for minute in sorted(edges) if not _height(copies, minute)]
            if bare and span[0] < span[1] and not self._stays_free(item, number, span):
                problems.append(f"meeting {number} ({item['subject']!r}) is not covered at {_told(bare[0])}")
        return problems

    def _sure(self, item: Json, number: int, span: Span, last: Sequence[Json]) -> bool:
        """Whether nothing but a loss could keep an event from being covered as it is."""
        if not _counts(item) or not _takes_place(item) or unwanted_item(item, self._policies):
            return False
        if number in self._past.touched or number in self._past.asked or modifies(item["subject"]):
            return False
        if any(_meet(span, each) for each in self._past.locked) or self._may_be_new(item):
            return False
        if any(_meet(span, each) for each in self._entries):
            return False
        # What a meeting gives way to may be a copy that stays where its meeting took place (domain.md 2.17).
        copies = [copy for copy in self._copies if meeting_of(copy) != number]
        if (self._past.decided or self._policies.overlaps != "keep_all") and any(
            _meet(span, _reach(other)) for other in (*last, *copies) if other is not item
        ):
            return False
        spans = self._meetings[number].at
        return all(span in at for at in spans)

    def _stays_free(self, item: Json, number: int, span: Span) -> bool:
        """Whether a day's copy stays free, as its series showed it when it was over (domain.md 2.17).

        The owner is asked about that, or keeps it. A copy of that time is there.
        """
        if item["type"] != "occurrence" or number not in self._past.series_asked:
            return False
        changes = [
            EPOCH + timedelta(seconds=following.since)
            for moment, following in pairwise(self._past.moments)
            if any(_is_free(each, number, span) for each in moment.source)
        ]
        over = span[1] - _CLOCKS_MINUTES
        was_over = any(change.timestamp() // 60 >= over for change in changes)
        return was_over and any(
            _is_free(copy, number, span) and not is_superseded(copy) for copy in self._copies
        )

    def _may_be_new(self, item: Json) -> bool:
        """Whether the owner is asked about a day that a change of its series may have invented.

        A stale page may hide a day of a series that was just entered. If the series changes then, nobody
        knows whether it had the day before.
        """
        changed: bool = item["createdDateTime"] < item["lastModifiedDateTime"]
        return changed and item["id"] in self._past.asked_days

    def _fallen(self) -> list[str]:
        """Copies that stood once and are gone, or count no more though their source still says so."""
        now = {copy["id"]: copy for copy in self._copies}
        free = {
            meeting_of(item) for moment in self._past.moments for item in moment.source if not _counts(item)
        }
        problems = []
        for copy_id, copy in self._past.stood.items():
            number = meeting_of(copy)
            if number in self._past.touched:
                continue
            if copy_id not in now:
                problems.append(f"the copy {copy['subject']!r} of meeting {number} stood and is gone")
            elif modifies(copy["subject"]):
                # Its meeting appeared, and takes its time (domain.md 4.6).
                continue
            elif _counts(copy) and not _counts(now[copy_id]) and number not in free | self._past.superseded:
                problems.append(f"the copy {copy['subject']!r} of meeting {number} counts no more")
        return problems

    def _rewritten(self) -> list[str]:
        """Copies of what took place that moved: into the future (2.4), or with their series (2.17)."""
        said = self._past.touched | self._past.answered
        problems = []
        for moved in self._past.moved:
            number, subject = meeting_of(moved.now), moved.now["subject"]
            if number in said or not moved.had_ended:
                continue
            if modifies(subject) and not _counts(moved.before):
                # It stood in the time of its meeting, and counted none itself (domain.md 4.6).
                continue
            if moved.goes_ahead:
                problems.append(
                    f"the copy {subject!r} of meeting {number} moved from the past into the future"
                )
            elif self._is_of_series(moved) and not any(
                _meet(_reach(copy), each) for copy in (moved.before, moved.now) for each in self._entries
            ):
                problems.append(f"the copy {subject!r} of meeting {number} moved with its series in the past")
        return problems

    def _is_of_series(self, moved: Moved) -> bool:
        """Whether a copy was, and is, of one occurrence that nobody ever changed alone."""
        before, now = (source_of(copy) for copy in (moved.before, moved.now))
        kinds = {
            item["type"]
            for moment in self._past.moments
            for item in (*moment.source, *moment.elsewhere)
            if item["id"] == now
        }
        return before == now and kinds == {"occurrence"}


def _look(item: Json) -> str:
    organizer = (item.get("organizer") or {}).get("emailAddress", {}).get("address", "")
    said = sorted(item["categories"]), item["isCancelled"], (item.get("responseStatus") or {}).get("response")
    return f"{item['subject']}|{item['body']['content']}|{organizer}|{said}"


def _counts(item: Json) -> bool:
    """Whether an event or a copy is time: neither free nor all-day."""
    return item["showAs"] != "free" and not item["isAllDay"]


def _is_free(item: Json, number: int, span: Span) -> bool:
    return item["showAs"] == "free" and meeting_of(item) == number and _span(item) == span


def _takes_place(item: Json) -> bool:
    return not item["isCancelled"] and (item.get("responseStatus") or {}).get("response") != "declined"


def _span(item: Json) -> Span:
    start, end = (_minute(item[name]["dateTime"]) for name in ("start", "end"))
    return start, end


def _reach(item: Json) -> Span:
    """The minutes that an event may lie on: a whole day begins by the clock of the archive's zone."""
    start, end = _span(item)
    return (start - _DAY_EDGE, end + _DAY_EDGE) if item["isAllDay"] else (start, end)


def _minute(moment: str) -> int:
    return int(datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC).timestamp()) // 60


def _told(minute: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute):%m-%d %H:%M}"


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _height(spans: Iterable[Span], minute: int) -> int:
    return sum(start <= minute < end for start, end in spans)


def _heights(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Each minute at which the number of spans that cover it changes, with that number. None for zero."""
    edges = sorted({minute for span in spans for minute in span})
    return [(minute, height) for minute in edges if (height := _height(spans, minute))]
