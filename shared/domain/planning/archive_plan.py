"""Plans an archive run: decides what to do for each source event of the window (domain.md 2-6).

The planner is pure and incremental (design.md, Plan). Pages come in by start. A decision is returned as soon
as no later event can change it. The stages follow domain.md 4.7: duplicates, modifications, purpose,
overlaps, privacy, difference. Matching comes before them: each event is fed under the key of its row.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.domain.events.key_set import KeySet, key_digest
from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.candidate import Candidate, KnownEvent, KnownOverlap
from shared.domain.planning.decision import Create, Decision, Flag, Heir, LeaveOut
from shared.domain.planning.duplicates import separate_duplicates
from shared.domain.planning.event_facts import event_facts
from shared.domain.planning.overlaps import PlannedGroup
from shared.domain.planning.pipeline import PlanFindings, PlanPipeline
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.window import Window

__all__ = [
    "Decided",
    "Decision",
    "KnownEvent",
    "KnownOverlap",
    "PlanFindings",
    "PlanPolicies",
    "PlannedGroup",
    "Planner",
]

DECIDED_AFTER = timedelta(hours=26)
"""Events this far behind the latest start are final.

Exchange sorts an all-day event by midnight of a zone that it does not name, from UTC-12 to UTC+14. Its start
is read as its date in UTC. So it comes up to 26 hours away from its place among the timed events.
"""

_EASTERNMOST = timedelta(hours=14)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a plan decided since it was asked last."""

    decisions: list[Decision]
    #: The groups of overlapping events that are complete since then.
    groups: list[PlannedGroup]
    #: Keys of the window that were fed and are not decided yet.
    undecided: frozenset[str]

    @property
    def heirs(self) -> dict[str, Heir]:
        """The decisions about former duplicates that may take over a copy, by key."""
        return {
            each.source_key: each
            for each in self.decisions
            if isinstance(each, Create | Flag | LeaveOut) and each.formerly is not None
        }


class Planner:
    """Plans one run. The result does not depend on how the events are divided into pages."""

    def __init__(
        self,
        window: Window,
        mode: RunMode = RunMode.NORMAL,
        policies: PlanPolicies = PlanPolicies(),  # noqa: B008 - frozen
        released: Collection[str] = (),
    ) -> None:
        """``released`` are unchanged modifications that no meeting holds any more (4.6)."""
        self._window = window
        self._policies = policies
        #: Digests of the keys that were fed and belong to the margins.
        self._margins: set[bytes] = set()
        self._seen: set[bytes] = set()
        fed = KeySet(self._seen, self._margins)
        self._pipeline = PlanPipeline(window, mode, policies, released, fed)
        # If all-day events can overlap, they are sorted by their local day, not by their date.
        self._lag = DECIDED_AFTER + (_EASTERNMOST if policies.all_day_counts else timedelta())
        self._waiting: dict[str, tuple[datetime, Candidate]] = {}
        self._by_start: list[tuple[datetime, str]] = []
        self._undecided: set[str] = set()
        #: Keys that belong to the window and were fed, or were decided alone.
        self.seen = KeySet(self._seen)
        self._passed: dict[bytes, tuple[str, Decision | None]] = {}
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._decided_to = self._latest

    def feed(
        self,
        events: Sequence[SourceEvent | ReadEvent],
        known: Mapping[str, KnownEvent],
        overlaps: Mapping[str, KnownOverlap] | None = None,
    ) -> Decided:
        """Take the next events in order of place, with what is stored about them. Returns what is decided.

        ``known`` are rows of the map. ``overlaps`` are memberships in stored groups that are not closed.
        Events of the margins create no decision, except for archived meetings that a modification of this
        window changes (``margin``). If a key comes again before it is final, because the calendar
        changed during paging, the last version counts. Later it is ignored. Raises ValueError for an event
        without a key.
        """
        decisions: list[Decision] = []
        for event in events:
            read = event if isinstance(event, ReadEvent) else ReadEvent.of(event)
            if read.place > self._latest:
                self._latest = read.place
                decisions += self._decide_until(read.place - self._lag)
            decisions += self._take(read, known, overlaps or {})
        return self._decided(decisions)

    def close(self) -> Decided:
        """Decide the rest. No more events come."""
        return self._decided(list(self._decide_until(_END_OF_TIME)))

    def decide_single(self, event: SourceEvent | ReadEvent, known: KnownEvent | None) -> Decision:
        """Decide for an event read by id: moved out of the window, or retried (domain.md 2.4, 2.12).

        An event that this plan saw in its margins is decided as seen there, any other alone. From now on it
        counts as seen. Raises ValueError if its key is ``seen`` already.
        """
        read = event if isinstance(event, ReadEvent) else ReadEvent.of(event)
        facts = event_facts(read, self._window.zone, self._policies.travel_words)
        if facts.key in self.seen:
            raise ValueError("the event is part of this plan already")
        digest = key_digest(facts.key)
        self._seen.add(digest)
        revision, decision = self._passed.get(digest, ("", None))
        if decision is not None and revision == facts.revision:
            return decision
        candidate = Candidate(facts, known, owned=False, left_out=read.left_out, waits=read.waits)
        return self._pipeline.alone(candidate)

    @property
    def findings(self) -> PlanFindings:
        """What was found beside the decisions so far."""
        return self._pipeline.findings

    @property
    def presumed(self) -> dict[str, str]:
        """Modifications that stay consumed if their meetings, which were not fed, are gone (4.6)."""
        return self._pipeline.presumed

    @property
    def vanished_groups(self) -> frozenset[str]:
        """After ``close``: stored groups whose events of this window overlap nothing any more (5.9)."""
        return frozenset(self._pipeline.stored_groups - self._pipeline.claimed_groups)

    def _take(
        self, read: ReadEvent, known: Mapping[str, KnownEvent], overlaps: Mapping[str, KnownOverlap]
    ) -> Iterator[Decision]:
        key = read.key
        digest = key_digest(key)
        if key in self._waiting:
            del self._waiting[key]
            self._seen.discard(digest)
            self._undecided.discard(key)
        elif digest in self._seen or digest in self._passed:
            return
        facts = event_facts(read, self._window.zone, self._policies.travel_words)
        owned = self._window.owns(read.event)
        if owned:
            self._seen.add(digest)
            self._undecided.add(key)
        else:
            self._margins.add(digest)
        order = facts.start if self._policies.all_day_counts else read.event.start
        candidate = Candidate(facts, known.get(key), owned, overlaps.get(key), read.left_out, read.waits)
        if order < self._decided_to:
            # Archived far before its present place in its series: its neighbours there are decided already.
            self._note_margins([candidate])
            yield from self._own([self._pipeline.alone(candidate)])
            return
        self._waiting[key] = order, candidate
        heapq.heappush(self._by_start, (order, key))

    def _decided(self, decisions: list[Decision]) -> Decided:
        groups, self._pipeline.groups = self._pipeline.groups, []
        return Decided(decisions, groups, frozenset(self._undecided))

    def _decide_until(self, before: datetime) -> Iterator[Decision]:
        """Send the events before the instant, which are final now, through the stages."""
        self._decided_to = max(self._decided_to, before)
        while self._by_start and self._by_start[0][0] < before:
            start = self._by_start[0][0]
            batch: list[Candidate] = []
            while self._by_start and self._by_start[0][0] == start:
                key = heapq.heappop(self._by_start)[1]
                if key in self._waiting and self._waiting[key][0] == start:
                    batch.append(self._waiting.pop(key)[1])
            self._note_margins(batch)
            standing, merges = separate_duplicates([each for each in batch if each.waits or not each.barred])
            yield from self._own(self._pipeline.advance(start, standing))
            yield from self._own(self._pipeline.alone(each) for each in batch if each.barred)
            yield from self._own(merges)
        yield from self._own(self._pipeline.advance(before))

    def _note_margins(self, batch: Sequence[Candidate]) -> None:
        """Remember the final events of the margins, so that none is taken twice."""
        for candidate in batch:
            if not candidate.owned:
                self._passed[key_digest(candidate.facts.key)] = candidate.facts.revision, None

    def _own(self, decisions: Iterable[Decision]) -> Iterator[Decision]:
        """The decisions about the window's events. Decisions about the margins are kept separately."""
        for decision in decisions:
            key = decision.source_key
            if key in self._undecided:
                self._undecided.discard(key)
                yield decision
                continue
            digest = key_digest(key)
            if decision.margin:
                self._seen.add(digest)
                yield decision
            else:
                self._passed[digest] = self._passed[digest][0], decision
