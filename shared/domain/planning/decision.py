"""What a plan decides for an event, and what it knows from the map (domain.md 2.3, 2.4, 2.13)."""

from copy import replace
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.event_facts import EventFacts
from shared.domain.planning.modifications import Modification
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.archived_event import ArchivedEventState

_MAY_HAVE_COPY = (
    ArchivedEventState.PRESENT,
    ArchivedEventState.SOURCE_DELETED,
    ArchivedEventState.CONSUMED,
)


@dataclass(frozen=True, slots=True)
class KnownOverlap:
    """An event's place in a stored group of overlapping events (domain.md 5.9)."""

    group_id: str
    opened_at: datetime
    #: The size of the group.
    member_count: int
    #: The revision stored with the member.
    revision: str
    #: Its owner resolved the group, or it expired. False if rules resolved it, because they run again.
    decided: bool = False
    #: What that decision means for this event.
    kept: bool = False
    #: Its owner is asked.
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """One row of the map."""

    source_key: str
    state: ArchivedEventState
    revision: str
    #: The representative of a merged event, or the meeting of a consumed one.
    merged_into: str | None
    #: Its last write failed or was never done (domain.md 2.2).
    pending: bool
    #: A copy of its own was made. A source may vanish before it is archived.
    has_copy: bool = True
    #: Its copy is shown free: it was archived alone, and then its meeting consumed it.
    shown_free: bool = False
    left_out: LeftOut | None = None
    #: They made the times of its copy.
    modifications: tuple[Modification, ...] = ()
    #: Not written because the owner had edited the copy. A retry would be refused again.
    conflict_revision: str | None = None
    #: Without a copy: its creation may be sent already, or soon. False for rows of a plan that ended early.
    under_way: bool = True

    @property
    def archived(self) -> bool:
        """Whether its own copy is in the archive calendar, as far as known."""
        return self.has_copy and self.state in _MAY_HAVE_COPY


class Action(StrEnum):
    """What to do for a source event."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    MERGE = "merge"
    #: Do nothing: the owner deleted the copy.
    REMOVED_BY_OWNER = "removed_by_owner"
    #: Do nothing: the owner's edit of the copy stays.
    EDITED_BY_OWNER = "edited_by_owner"
    CONSUME = "consume"
    LEAVE_OUT = "leave_out"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do for one source key."""

    source_key: str
    action: Action
    #: The present revision, with modifications.
    revision: str
    #: The key that a MERGE points to, or the meeting of a CONSUME.
    representative: str | None = None
    #: For a CREATE or FLAG of an event that was merged into a key which is no duplicate any more. If the
    #: source of that key is gone, this event takes over its copy (domain.md 2.9).
    formerly: str | None = None
    #: False if the map already has all of it.
    changed: bool = True
    #: UTC. ``start`` and ``end`` are set on writes and FLAGs if ``modifications`` changed the times.
    start: datetime | None = None
    end: datetime | None = None
    modifications: tuple[Modification, ...] = ()
    #: ``sensitivity`` and ``show_as`` are set on writes if automation changes them in the copy (domain.md 6).
    sensitivity: str | None = None
    show_as: str | None = None
    #: Why a LEAVE_OUT leaves the event out.
    reason: LeftOut | None = None
    #: The label of the overlap of a FLAG or LEAVE_OUT.
    group: str | None = None
    #: Updates a meeting of another window (domain.md 4.8). It is no event of this run.
    margin: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event on its way through the plan, with what is stored about it."""

    facts: EventFacts
    known: KnownEvent | None
    #: It belongs to the window (domain.md 2.2).
    owned: bool
    overlap: KnownOverlap | None = None
    #: As in ``ReadEvent``; ``waits`` too.
    left_out: LeftOut | None = None
    waits: bool = False

    @property
    def barred(self) -> bool:
        """Whether it takes part in no rule: it waits, is left out before all rules, or is superseded."""
        return self.waits or self.left_out is not None or self.superseded

    @property
    def superseded(self) -> bool:
        """Whether its copy represents no meeting any more, on its owner's word (domain.md 2.16)."""
        return self.known is not None and self.known.state is ArchivedEventState.SUPERSEDED

    @property
    def archived(self) -> bool:
        """Whether it has a copy."""
        return self.known is not None and self.known.archived


def as_decided(event: SourceEvent, decision: Decision) -> SourceEvent:
    """The event as copy and record show it: true times, automation applied (domain.md 4, 6).

    Its slot is still the source's own start. The copy is matched by it if the source is gone (2.3).
    """
    if decision.start is None and decision.sensitivity is None and decision.show_as is None:
        return event
    return replace(
        event,
        original_start=(event.original_start or event.start) if decision.start else event.original_start,
        start=decision.start or event.start,
        end=decision.end or event.end,
        sensitivity=decision.sensitivity or event.sensitivity,
        show_as=decision.show_as or event.show_as,
    )


def own_row(known: KnownEvent | None) -> KnownEvent | None:
    """The event's row as if it had its own copy."""
    return None if known is None or known.state is ArchivedEventState.MERGED else known


def compare(key: str, revision: str, known: KnownEvent | None, mode: RunMode) -> Decision:
    """Compare an event that is archived alone with its row (domain.md 2.4, 2.10)."""
    row = own_row(known)
    if row is None:
        return Decision(key, Action.CREATE, revision, formerly=known.merged_into if known else None)
    replace = mode is RunMode.REPLACE
    if row.state is ArchivedEventState.REMOVED_BY_OWNER:
        if not replace:
            return Decision(key, Action.REMOVED_BY_OWNER, revision, changed=False)
        # Only the write shows whether the copy is really gone. Only then is it created again (2.10).
        return Decision(key, Action.UPDATE if row.has_copy else Action.CREATE, revision)
    if row.state is ArchivedEventState.SUPERSEDED and not replace:
        return Decision(key, Action.UNCHANGED, revision, changed=False)
    if not row.archived and not (row.state is ArchivedEventState.SUPERSEDED and row.has_copy):
        return Decision(key, Action.CREATE, revision)
    if replace:
        return Decision(key, Action.UPDATE, revision)
    if row.revision != revision and row.conflict_revision == revision:
        return Decision(key, Action.EDITED_BY_OWNER, revision, changed=False)
    if row.pending or row.shown_free or row.revision != revision:
        return Decision(key, Action.UPDATE, revision)
    return Decision(key, Action.UNCHANGED, revision, changed=row.state is not ArchivedEventState.PRESENT)


def compare_again(decided: Decision, known: KnownEvent | None, mode: RunMode) -> Decision:
    """Compare a decided write with its row, which changed hands since (domain.md 2.9)."""
    now = compare(decided.source_key, decided.revision, known, mode)
    return replace(decided, action=now.action, changed=now.changed, formerly=None)


def merge(candidate: Candidate, standing: set[str]) -> Decision:
    """Merge it into its present representative, or into the smallest key (domain.md 2.9)."""
    facts, known = candidate.facts, candidate.known
    into = known.merged_into if known and known.state is ArchivedEventState.MERGED else None
    if known is not None and into in standing:
        changed = known.revision != facts.revision
        return Decision(facts.key, Action.MERGE, facts.revision, representative=into, changed=changed)
    return Decision(facts.key, Action.MERGE, facts.revision, representative=min(standing))


def consume(candidate: Candidate, meeting: str) -> Decision:
    """A modification that its meeting consumed (domain.md 4.6)."""
    facts, known = candidate.facts, candidate.known
    said = (
        known is not None
        and not known.pending
        and known.state is ArchivedEventState.CONSUMED
        and (known.merged_into, known.revision) == (meeting, facts.revision)
    )
    return Decision(facts.key, Action.CONSUME, facts.revision, representative=meeting, changed=not said)


def leave_out(
    key: str, revision: str, known: KnownEvent | None, reason: LeftOut, group: str | None = None
) -> Decision:
    """An event that the archive does not take (domain.md 2.7, 5.4)."""
    said = (
        known is not None
        and not known.pending
        and known.state is ArchivedEventState.LEFT_OUT
        and (known.left_out, known.revision) == (reason, revision)
    )
    return Decision(key, Action.LEAVE_OUT, revision, changed=not said, reason=reason, group=group)


def flag(key: str, revision: str, known: KnownEvent | None, group: str | None = None) -> Decision:
    """An event that waits for the resolution of its overlap or for another answer (2.16, 5.3)."""
    said = (
        known is not None
        and not known.pending
        and (known.state, known.revision) == (ArchivedEventState.FLAGGED, revision)
    )
    merged = known is not None and known.state is ArchivedEventState.MERGED
    formerly = known.merged_into if known is not None and merged else None
    return Decision(key, Action.FLAG, revision, formerly=formerly, changed=not said, group=group)
