"""Groups of overlapping events in a plan: which stored group each is, what becomes of it (domain.md 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.overlaps.groups import Interval
from shared.domain.overlaps.rules import Member, OverlapPolicy, ResolutionStep, Verdict, resolve
from shared.domain.planning.decision import Candidate, KnownOverlap
from shared.domain.planning.modifications import Modification
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archived_event import ArchivedEventState

_BY_OVERLAP = (LeftOut.OVERLAP_RULE, LeftOut.RESOLUTION)


class GroupStatus(StrEnum):
    """What a plan makes of a group.

    ``recorded``: everything is kept, offered for resolution. ``resolved``: by rule. ``flagged``: its owner
    has to decide. ``settled``: its owner did, or it expired, and nothing changed since (domain.md 5.9).
    """

    RECORDED = "recorded"
    RESOLVED = "resolved"
    FLAGGED = "flagged"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event after the modifications: the times and the revision it is archived with."""

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
    """An event of a group; ``owned``: it belongs to the window; times UTC, after modifications."""

    source_key: str
    revision: str
    interval: Interval
    verdict: Verdict
    owned: bool
    archived: bool


@dataclass(frozen=True, slots=True)
class OverlapGroup:
    """One group as planned. ``label`` is the stored group's id, else the key of its first member.

    ``absorbed`` are stored groups that became one with it. ``reopened``: it was settled, then a member
    came, left or changed. ``changed`` is False where the stored group already says all of it. ``complete``:
    no member can lie beyond what was read. ``owned``: its earliest start lies in the window (domain.md 5.9).
    """

    label: str
    stored_id: str | None
    status: GroupStatus
    members: tuple[GroupMember, ...]
    log: tuple[ResolutionStep, ...] = ()
    absorbed: tuple[str, ...] = ()
    reopened: bool = False
    changed: bool = True
    complete: bool = True

    @property
    def owned(self) -> bool:
        """Whether the group belongs to this window."""
        return self.members[0].owned


def judge(
    events: Sequence[TimedEvent], policy: OverlapPolicy, read: tuple[datetime, datetime] | None = None
) -> OverlapGroup:
    """Decide for one component of overlapping events, in order of start, end and key.

    A component that shares a member with a stored group is that group, of several the oldest. What its
    owner settled binds as long as the members and their revisions are the same (domain.md 5.9). Of one that
    reaches beyond ``read``, the range that was read, only those members are compared that were seen: an
    event of several days holds together more than any one run sees. What rules decided where all of it was
    seen stands then as long as what is seen is the same, and who waits beyond still waits.
    """
    complete = read is None or (
        read[0] <= events[0].interval.start and max(event.interval.end for event in events) <= read[1]
    )
    known = [event.candidate.overlap for event in events]
    stored = sorted({(overlap.opened_at, overlap.group_id) for overlap in known if overlap})
    stored_id = stored[0][1] if stored else None
    same = _is_unchanged(events, known, complete=complete)
    log: tuple[ResolutionStep, ...] = ()
    settled = same and all(overlap is not None and overlap.settled for overlap in known)
    if settled:
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
    return OverlapGroup(
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
        reopened=not settled and any(overlap is not None and overlap.settled for overlap in known),
        changed=not same,
        complete=complete,
    )


def binding_drop(event: TimedEvent) -> bool:
    """Whether its owner's resolution leaves the event out, as far as can be told from it alone."""
    overlap = event.candidate.overlap
    return (
        overlap is not None
        and overlap.settled
        and not overlap.kept
        and overlap.revision == event.revision
        and not event.candidate.archived
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
    """What a plan before this one decided for a member, as the map says.

    One of which it says nothing, such as one that was gone and is back, waits if the group does.
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
    """``waits``: somebody beyond what was read may wait for a decision."""
    if Verdict.FLAGGED in verdicts or (waits and policy is not OverlapPolicy.KEEP_ALL):
        return GroupStatus.FLAGGED
    return GroupStatus.RESOLVED if policy is OverlapPolicy.AUTO else GroupStatus.RECORDED


def _member(event: TimedEvent) -> Member:
    facts = event.candidate.facts
    return Member(event.interval, facts.show_as, facts.importance, archived=event.candidate.archived)
