"""What a plan says of an event, and what it knows of it from the map (domain.md 2.3, 2.4, 2.13)."""

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
    """An event's place in a stored group of overlapping events (domain.md 5.9).

    ``revision`` is the one stored with the member, ``member_count`` the size of the group. ``settled``:
    its owner resolved it or it expired, and ``kept`` says what that means for this event; a group that
    was resolved by rule is not settled, since the rules say it again. ``waiting``: its owner is asked.
    """

    group_id: str
    opened_at: datetime
    member_count: int
    revision: str
    settled: bool = False
    kept: bool = False
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """One row of the map. ``pending``: its last write failed or was never done (domain.md 2.2).

    ``merged_into`` is the representative of a merged event or the meeting of a consumed one. ``has_copy``
    tells whether a copy of its own was ever made: a source may vanish before it was archived, and a
    modification may have been archived by itself before it was consumed; then its copy is ``shown_free``.
    ``modifications`` are those that made the times of its copy. ``conflict_revision`` was not written since
    the owner had edited the copy: trying again would only be refused again. ``under_way``: of one that has
    no copy yet, whether its creation may have been sent or is about to be; a plan that ended early leaves
    rows of which none is.
    """

    source_key: str
    state: ArchivedEventState
    revision: str
    merged_into: str | None
    pending: bool
    has_copy: bool = True
    shown_free: bool = False
    left_out: LeftOut | None = None
    modifications: tuple[Modification, ...] = ()
    conflict_revision: str | None = None
    under_way: bool = True

    @property
    def archived(self) -> bool:
        """Whether a copy of its own is in the archive calendar, as far as known."""
        return self.has_copy and self.state in _MAY_HAVE_COPY


class Action(StrEnum):
    """What is to be done for a source event.

    ``removed_by_owner`` and ``edited_by_owner``: nothing, the owner deleted the copy, or changed it and
    was left the last word.
    """

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    MERGE = "merge"
    REMOVED_BY_OWNER = "removed_by_owner"
    EDITED_BY_OWNER = "edited_by_owner"
    CONSUME = "consume"
    LEAVE_OUT = "leave_out"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done for one source key, whose revision, modifications included, is ``revision`` now.

    ``representative`` is the key a MERGE points to, or the meeting of a CONSUME. ``formerly`` is set on
    the CREATE or FLAG of an event that was merged into a key which is not among its duplicates any more.
    If that one's source is gone, this key takes over its copy (domain.md 2.9). ``changed`` is False where
    the map already says all of it.

    ``start`` and ``end`` (UTC) are set on writes and FLAGs where ``modifications`` changed the times.
    ``sensitivity`` and ``show_as`` are set on writes where automation changes them in the copy (domain.md
    6). ``reason`` tells why a LEAVE_OUT is one, ``group`` the label of the overlap of a FLAG or LEAVE_OUT.
    ``margin`` marks the update of a meeting that another window owns (domain.md 4.8): no event of this run.
    """

    source_key: str
    action: Action
    revision: str
    representative: str | None = None
    formerly: str | None = None
    changed: bool = True
    start: datetime | None = None
    end: datetime | None = None
    modifications: tuple[Modification, ...] = ()
    sensitivity: str | None = None
    show_as: str | None = None
    reason: LeftOut | None = None
    group: str | None = None
    margin: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event on its way through the plan, with what is stored of it.

    ``owned``: it belongs to the window (domain.md 2.2). ``left_out`` and ``waits`` as in ``ReadEvent``.
    """

    facts: EventFacts
    known: KnownEvent | None
    owned: bool
    overlap: KnownOverlap | None = None
    left_out: LeftOut | None = None
    waits: bool = False

    @property
    def barred(self) -> bool:
        """Whether it takes no part in anything: it waits, is left out before all rules, or superseded."""
        return self.waits or self.left_out is not None or self.superseded

    @property
    def superseded(self) -> bool:
        """Whether its copy stands for no meeting any more, on its owner's word (domain.md 2.16)."""
        return self.known is not None and self.known.state is ArchivedEventState.SUPERSEDED

    @property
    def archived(self) -> bool:
        """Whether it has a copy."""
        return self.known is not None and self.known.archived


def as_decided(event: SourceEvent, decision: Decision) -> SourceEvent:
    """The event as its copy and our record show it: true times, automation applied (domain.md 4, 6).

    Its slot stays the source's own start: by it the copy is matched when the source is gone (2.3).
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
    """The event's row where it stands for itself, wherever its copy is by now."""
    return None if known is None or known.state is ArchivedEventState.MERGED else known


def compare(key: str, revision: str, known: KnownEvent | None, mode: RunMode) -> Decision:
    """An event that is archived by itself, against its row (domain.md 2.4, 2.10)."""
    row = own_row(known)
    if row is None:
        return Decision(key, Action.CREATE, revision, formerly=known.merged_into if known else None)
    replace = mode is RunMode.REPLACE
    if row.state is ArchivedEventState.REMOVED_BY_OWNER:
        if not replace:
            return Decision(key, Action.REMOVED_BY_OWNER, revision, changed=False)
        # Whether the copy is really gone shows when it is written to; only then it is made anew (2.10).
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
    """A write decided among the others, against its row, which changed hands since (domain.md 2.9)."""
    now = compare(decided.source_key, decided.revision, known, mode)
    return replace(decided, action=now.action, changed=now.changed, formerly=None)


def merge(candidate: Candidate, standing: set[str]) -> Decision:
    """Merged into the representative it already has, else into the smallest (domain.md 2.9)."""
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
    """An event that waits until its overlap is resolved, or another question is answered (2.16, 5.3)."""
    said = (
        known is not None
        and not known.pending
        and (known.state, known.revision) == (ArchivedEventState.FLAGGED, revision)
    )
    merged = known is not None and known.state is ArchivedEventState.MERGED
    formerly = known.merged_into if known is not None and merged else None
    return Decision(key, Action.FLAG, revision, formerly=formerly, changed=not said, group=group)
