"""Groups of overlapping events in a plan: which stored group each is, and its status (domain.md 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.overlaps.groups import Interval
from shared.domain.overlaps.rules import Member, OverlapPolicy, ResolutionStep, Verdict, resolve
from shared.domain.planning.candidate import Candidate, KnownOverlap
from shared.domain.planning.modifications import Modification
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archived_event import ArchivedEventState

_BY_OVERLAP = (LeftOut.OVERLAP_RULE, LeftOut.RESOLUTION)


class GroupStatus(StrEnum):
    """What a plan makes of a group."""

    #: Everything is kept and offered for resolution.
    RECORDED = "recorded"
    #: Resolved by rule.
    RESOLVED = "resolved"
    #: Its owner must decide.
    FLAGGED = "flagged"
    #: Its owner decided, or it expired, and nothing changed since (domain.md 5.9).
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event after modifications: the times and revision with which it is archived."""

    candidate: Candidate
    interval: Interval
    revision: str
    modifications: tuple[Modification, ...] = ()

    @property
    def key(self) -> str:
        """The event's key."""
        return self.candidate.facts.key


@dataclass(frozen=True, slots=True)
class GroupMember:
    """An event of a group. Times are UTC, after modifications. ``owned``: it belongs to the window."""

    source_key: str
    revision: str
    interval: Interval
    verdict: Verdict
    owned: bool
    archived: bool


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """One group as planned."""

    #: The id of the stored group, or the key of its first member.
    label: str
    stored_id: str | None
    status: GroupStatus
    members: tuple[GroupMember, ...]
    log: tuple[ResolutionStep, ...] = ()
    #: Stored groups that were joined with it.
    absorbed: tuple[str, ...] = ()
    #: It was decided, then a member came, left or changed.
    reopened: bool = False
    #: False if the stored group already has all of it.
    changed: bool = True
    #: No member can be outside the range that was read.
    complete: bool = True

    @property
    def owned(self) -> bool:
        """Whether the group belongs to this window."""
        return self.members[0].owned


def judge(
    events: Sequence[TimedEvent], policy: OverlapPolicy, read: tuple[datetime, datetime] | None = None
) -> PlannedGroup:
    """Decide for one component of overlapping events, in order of start, end and key.

    A component that shares a member with stored groups is the oldest of them. The owner's resolution is
    binding while members and revisions stay the same (domain.md 5.9). An event of several days can join more
    events than one run reads. If the component reaches outside ``read`` (the range that was read), only the
    members that were read are compared. While they stay the same, decisions that rules made when all members
    were visible stay valid. Members outside the range keep waiting.
    """
    complete = read is None or (
        read[0] <= events[0].interval.start and max(event.interval.end for event in events) <= read[1]
    )
    known = [event.candidate.overlap for event in events]
    stored = sorted({(overlap.opened_at, overlap.group_id) for overlap in known if overlap})
    stored_id = stored[0][1] if stored else None
    same = _is_unchanged(events, known, complete=complete)
    log: tuple[ResolutionStep, ...] = ()
    decided = same and all(overlap is not None and overlap.decided for overlap in known)
    if decided:
        status = GroupStatus.SETTLED
        verdicts = {
            event.key: Verdict.KEPT if overlap and overlap.kept else Verdict.DROPPED
            for event, overlap in zip(events, known, strict=True)
        }
    else:
        if same and not complete and policy is OverlapPolicy.AUTO:
            verdicts = {event.key: _verdict_before(event.candidate) for event in events}
        else:
            resolution = resolve([_member(event) for event in events], policy)
            verdicts, log = resolution.verdicts, resolution.log
        waits = not complete and any(overlap is not None and overlap.waiting for overlap in known)
        status = _status(policy, set(verdicts.values()), waits=waits)
    return PlannedGroup(
        label=stored_id or events[0].key,
        stored_id=stored_id,
        status=status,
        members=tuple(
            GroupMember(
                event.key,
                event.revision,
                event.interval,
                verdicts[event.key],
                owned=event.candidate.owned,
                archived=event.candidate.archived,
            )
            for event in events
        ),
        log=log,
        absorbed=tuple(group_id for _, group_id in stored[1:]),
        reopened=not decided and any(overlap is not None and overlap.decided for overlap in known),
        changed=not same,
        complete=complete,
    )


def _is_unchanged(
    events: Sequence[TimedEvent], known: Sequence[KnownOverlap | None], *, complete: bool
) -> bool:
    first = known[0]
    return (
        first is not None
        and (first.member_count == len(events) or (not complete and first.member_count > len(events)))
        and all(
            overlap is not None and overlap.group_id == first.group_id and overlap.revision == event.revision
            for event, overlap in zip(events, known, strict=True)
        )
    )


def _verdict_before(candidate: Candidate) -> Verdict:
    """What an earlier plan decided for a member, from the map.

    If the map says nothing, for example because the event was gone and came back, it waits if the group
    waits.
    """
    known, overlap = candidate.known, candidate.overlap
    if candidate.archived:
        return Verdict.KEPT
    if known is not None:
        if known.state is ArchivedEventState.LEFT_OUT and known.left_out in _BY_OVERLAP:
            return Verdict.DROPPED
        if known.state is ArchivedEventState.FLAGGED:
            return Verdict.FLAGGED
        if known.under_way:
            return Verdict.KEPT
    return Verdict.FLAGGED if overlap is not None and overlap.waiting else Verdict.KEPT


def _status(policy: OverlapPolicy, verdicts: set[Verdict], *, waits: bool) -> GroupStatus:
    """``waits``: a member outside the range that was read may wait for a decision."""
    if Verdict.FLAGGED in verdicts or (waits and policy is not OverlapPolicy.KEEP_ALL):
        return GroupStatus.FLAGGED
    return GroupStatus.RESOLVED if policy is OverlapPolicy.AUTO else GroupStatus.RECORDED


def _member(event: TimedEvent) -> Member:
    facts = event.candidate.facts
    return Member(event.interval, facts.show_as, facts.importance, archived=event.candidate.archived)
