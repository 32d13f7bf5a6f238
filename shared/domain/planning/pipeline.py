"""The stages of a plan after the duplicates, from modifications to the difference (domain.md 4.7).

Events come in order of start. They leave as soon as no later event can change their decision.
"""

from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared.domain.events.revision import modified_revision
from shared.domain.overlaps.groups import Interval, OverlapSweep, may_overlap
from shared.domain.overlaps.rules import OverlapPolicy, Verdict
from shared.domain.planning.candidate import Candidate
from shared.domain.planning.decision import Decision, compare, consume, flag, leave_out, stay_aside
from shared.domain.planning.modifications import (
    TOLERANCE,
    Judged,
    Meeting,
    Modification,
    ModificationSweep,
    ModifiedTimes,
)
from shared.domain.planning.overlaps import GroupStatus, PlannedGroup, TimedEvent, judge
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.purpose import LeftOut, left_out
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.window import Window

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class PlanFindings:
    """Counts beside the decisions, over the events of the window (domain.md 2.13)."""

    overlaps_resolved: int = 0
    overlaps_flagged: int = 0
    overlaps_recorded: int = 0
    modifications_applied: int = 0
    orphan_modifications: int = 0
    category_issues: int = 0
    #: Issues of events whose present form the map does not know.
    new_category_issues: int = 0


class PlanPipeline:
    """Takes events in order of start, with duplicates merged, and decides for each."""

    def __init__(
        self,
        window: Window,
        mode: RunMode,
        policies: PlanPolicies,
        released: Collection[str],
        met: Container[str],
    ) -> None:
        """``released``: modifications that no absent meeting holds. ``met``: the keys fed so far."""
        self._released = released
        self._met = met
        self._window = window
        self._mode = mode
        self._policies = policies
        self._modifications = ModificationSweep()
        self._overlaps = OverlapSweep()
        self._unmodified: dict[str, Candidate] = {}
        self._overlapping: dict[str, TimedEvent] = {}
        self._read_start, self._read_end = window.read_range
        self.findings = PlanFindings()
        self.groups: list[PlannedGroup] = []
        self.stored_groups: set[str] = set()
        self.claimed_groups: set[str] = set()
        self.presumed: dict[str, str] = {}

    def advance(self, now: datetime, entering: Sequence[Candidate] = ()) -> Iterator[Decision]:
        """Yield what is decided, now that everything that starts before ``now`` was taken.

        Then take the events that start ``now``.
        """
        modifying = [candidate for candidate in entering if self._may_change(candidate)]
        items = [_modification(each) if each.facts.modifies else _meeting(each) for each in modifying]
        for result in self._modifications.advance(now, items):
            if isinstance(result, Judged):
                yield from self._judged(result)
            else:
                candidate = self._unmodified.pop(result.key)
                yield from self._margin_update(candidate, result)
                yield from self._timed(candidate, _as_met(candidate, result))
        for component in self._overlaps.advance(self._modifications.earliest_start(now)):
            events = [self._overlapping.pop(interval.key) for interval in component]
            yield from self._grouped(events)
        self._unmodified |= {candidate.facts.key: candidate for candidate in modifying}
        for candidate in entering:
            if candidate.owned and candidate.overlap is not None:
                self.stored_groups.add(candidate.overlap.group_id)
            if not self._may_change(candidate):
                yield from self._timed(candidate, _untouched(candidate))

    def _may_change(self, candidate: Candidate) -> bool:
        """Whether a modification may change the event, or it is one itself."""
        facts = candidate.facts
        return self._policies.modifications and (facts.modifies is not None or facts.may_meet)

    def alone(self, candidate: Candidate) -> Decision:
        """Decide for an event alone, with its copy's modifications if they still fit."""
        facts, known = candidate.facts, candidate.known
        if candidate.waits:
            return flag(facts.key, facts.revision, known)
        if candidate.left_out is not None:
            return leave_out(facts.key, facts.revision, known, candidate.left_out)
        if candidate.superseded:
            return compare(facts.key, facts.revision, known, self._mode)
        sweep = ModificationSweep()
        if known is not None and facts.may_meet and facts.modifies is None:
            for modification in known.modifications:
                sweep.add(modification)
        sweep.add(_meeting(candidate))
        results = sweep.advance(_END_OF_TIME)
        met = next(result for result in results if isinstance(result, Meeting))
        event = _as_met(candidate, met)
        reason = self._purpose(candidate)
        if reason is not None:
            return leave_out(facts.key, event.revision, known, reason)
        if known is not None and facts.start >= self._window.end and not known.archived:
            waiting = stay_aside(facts.key, known)
            if waiting is not None:
                # The run of its new window sees its overlaps there.
                return waiting
        return self._archive(event)

    def _judged(self, result: Judged) -> Iterator[Decision]:
        candidate = self._unmodified.pop(result.modification.key)
        absent = self._absent_meeting(candidate) if result.meeting is None else None
        if absent is not None:
            if candidate.owned:
                self.presumed[candidate.facts.key] = absent
            yield consume(candidate, absent)
            return
        if result.meeting is None:
            self.findings.orphan_modifications += candidate.owned
            yield from self._timed(candidate, _untouched(candidate))
            return
        self.findings.modifications_applied += candidate.owned
        yield consume(candidate, result.meeting)

    def _absent_meeting(self, candidate: Candidate) -> str | None:
        """The meeting that consumed this unchanged modification, if no page showed it (domain.md 4.6)."""
        known, facts = candidate.known, candidate.facts
        if known is None or known.pending or known.state is not ArchivedEventState.CONSUMED:
            return None
        meeting = known.merged_into
        if meeting is None or known.revision != facts.revision:
            return None
        return None if facts.key in self._released or meeting in self._met else meeting

    def _margin_update(self, candidate: Candidate, meeting: Meeting) -> Iterator[Decision]:
        """A meeting of another window that is archived and changed by a modification of this window (4.8)."""
        known = candidate.known
        if candidate.owned or known is None or not known.stands:
            return
        if not any(self._owns(modification) for modification in meeting.applied):
            return
        # Only if all its modifications were read. Otherwise two runs would alternate between two versions.
        if self._read_end - meeting.end <= TOLERANCE or meeting.source_start - self._read_start <= TOLERANCE:
            return
        event = _as_met(candidate, meeting)
        if known.pending or known.revision != event.revision:
            yield replace(self._archive(event), margin=True)

    def _owns(self, modification: Modification) -> bool:
        return self._window.start <= modification.start < self._window.end

    def _timed(self, candidate: Candidate, event: TimedEvent) -> Iterator[Decision]:
        """After the modifications: purpose, then overlaps if any are possible."""
        facts = candidate.facts
        if candidate.owned and facts.categories.needs_attention:
            known = candidate.known
            self.findings.category_issues += 1
            self.findings.new_category_issues += known is None or known.revision != event.revision
        reason = self._purpose(candidate)
        if reason is not None:
            yield leave_out(facts.key, event.revision, candidate.known, reason)
            return
        if not self._may_overlap(event):
            yield self._archive(event)
            return
        self._overlaps.add(event.interval)
        self._overlapping[facts.key] = event
        if self._policies.overlap_policy is OverlapPolicy.KEEP_ALL and not _left_out_by_owner(event):
            yield self._archive(event)

    def _purpose(self, candidate: Candidate) -> LeftOut | None:
        """Why the purpose leaves the event out. What is archived stays archived (domain.md 2.5)."""
        if candidate.archived or _removed(candidate):
            return None
        facts = candidate.facts
        return left_out(self._policies.purpose, facts.categories, facts.show_as, travel=facts.travel)

    def _may_overlap(self, event: TimedEvent) -> bool:
        facts = event.candidate.facts
        policies = self._policies
        if _removed(event.candidate) and self._mode is not RunMode.REPLACE:
            return False
        # It is archived but no longer fits the purpose, so it must not hold others back.
        if left_out(policies.purpose, facts.categories, facts.show_as, travel=facts.travel) is not None:
            return False
        # The effect of a setting on a private event must not be visible in the results of others (6.3).
        if facts.private and left_out(policies.purpose, facts.categories, facts.show_as, travel=False):
            return False
        return may_overlap(
            event.interval.start,
            event.interval.end,
            facts.show_as,
            is_all_day=facts.is_all_day,
            takes_place=facts.takes_place,
            all_day_counts=policies.all_day_counts,
        )

    def _grouped(self, events: list[TimedEvent]) -> Iterator[Decision]:
        """A complete component of overlapping events, or one event that overlaps nothing."""
        keep_all = self._policies.overlap_policy is OverlapPolicy.KEEP_ALL
        # Under keep_all, only an event that a resolution may leave out waits: is its group still the same?
        waiting = {event.key for event in events if not keep_all or _left_out_by_owner(event)}
        if len(events) == 1:
            if waiting:
                yield self._archive(events[0])
            return
        group = judge(events, self._policies.overlap_policy, (self._read_start, self._read_end))
        self._record(group)
        reason = LeftOut.RESOLUTION if group.status is GroupStatus.SETTLED else LeftOut.OVERLAP_RULE
        for event, member in zip(events, group.members, strict=True):
            known = event.candidate.known
            if event.key not in waiting:
                continue
            if member.verdict is Verdict.FLAGGED:
                yield flag(event.key, event.revision, known, group.label, _times(event))
            elif member.verdict is Verdict.DROPPED and not member.archived:
                yield leave_out(event.key, event.revision, known, reason, group.label)
            else:
                yield self._archive(event)

    def _record(self, group: PlannedGroup) -> None:
        if not any(member.owned for member in group.members):
            return
        self.groups.append(group)
        if group.stored_id is not None:
            self.claimed_groups |= {group.stored_id, *group.absorbed}
        if group.owned:
            self.findings.overlaps_resolved += group.status is GroupStatus.RESOLVED
            self.findings.overlaps_flagged += group.status is GroupStatus.FLAGGED
            self.findings.overlaps_recorded += group.status is GroupStatus.RECORDED

    def _archive(self, event: TimedEvent) -> Decision:
        """Compare the event with its row."""
        candidate = event.candidate
        return compare(candidate.facts.key, event.revision, candidate.known, self._mode, _times(event))


def _left_out_by_owner(event: TimedEvent) -> bool:
    """Whether its owner's resolution leaves the event out, as far as this event alone shows."""
    overlap = event.candidate.overlap
    return (
        overlap is not None
        and overlap.decided
        and not overlap.kept
        and overlap.revision == event.revision
        and not event.candidate.archived
    )


def _removed(candidate: Candidate) -> bool:
    known = candidate.known
    return known is not None and known.state is ArchivedEventState.REMOVED_BY_OWNER


def _modification(candidate: Candidate) -> Modification:
    facts = candidate.facts
    assert facts.modifies is not None  # noqa: S101 - the caller saw it
    return Modification(facts.key, facts.modifies, facts.start, facts.end, facts.category_identities)


def _meeting(candidate: Candidate) -> Meeting:
    facts = candidate.facts
    return Meeting(facts.key, facts.start, facts.end, facts.start, facts.category_identities)


def _untouched(candidate: Candidate) -> TimedEvent:
    facts = candidate.facts
    return TimedEvent(candidate, Interval(facts.key, facts.start, facts.end), facts.revision)


def _times(event: TimedEvent) -> ModifiedTimes | None:
    if not event.modifications:
        return None
    return ModifiedTimes(event.interval.start, event.interval.end, event.modifications)


def _as_met(candidate: Candidate, meeting: Meeting) -> TimedEvent:
    facts = candidate.facts
    if not meeting.applied:
        return _untouched(candidate)
    applied = [(modification.key, modification.start, modification.end) for modification in meeting.applied]
    return TimedEvent(
        candidate,
        Interval(facts.key, meeting.start, meeting.end),
        modified_revision(facts.revision, applied),
        meeting.applied,
    )
