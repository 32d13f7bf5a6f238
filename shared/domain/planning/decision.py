"""What a plan decides for an event (domain.md 2.3, 2.4, 2.13)."""

from copy import replace
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from shared.domain.planning.candidate import Candidate, KnownEvent
from shared.domain.planning.modifications import Modification, ModifiedTimes
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.archived_event import ArchivedEventState


class Action(StrEnum):
    """The name of each kind of decision, for counts and the API."""

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
class _Decided:
    """What each kind of decision says about one source key."""

    source_key: str
    #: The present revision, with modifications.
    revision: str
    #: About a meeting of another window that a modification changes (domain.md 4.8). It is no event of this
    #: run.
    margin: bool = field(default=False, kw_only=True)
    #: The map has the event as gone or consumed, and learns that it is there. A write may still fail.
    back: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Create(_Decided):
    """Write a new copy."""

    action: ClassVar = Action.CREATE
    times: ModifiedTimes | None = None
    #: The event was merged into this key, which is no duplicate any more. If the source of that key is gone,
    #: this event takes over its copy (domain.md 2.9).
    formerly: str | None = None


@dataclass(frozen=True, slots=True)
class Update(_Decided):
    """Write the present content over the copy."""

    action: ClassVar = Action.UPDATE
    times: ModifiedTimes | None = None


@dataclass(frozen=True, slots=True)
class Unchanged(_Decided):
    """Write nothing: the copy is as the source."""

    action: ClassVar = Action.UNCHANGED


@dataclass(frozen=True, slots=True)
class RemovedByOwner(_Decided):
    """Do nothing: the owner deleted the copy."""

    action: ClassVar = Action.REMOVED_BY_OWNER


@dataclass(frozen=True, slots=True)
class EditedByOwner(_Decided):
    """Do nothing: the owner's edit of the copy stays."""

    action: ClassVar = Action.EDITED_BY_OWNER


@dataclass(frozen=True, slots=True)
class Merge(_Decided):
    """A duplicate, merged into ``representative``."""

    action: ClassVar = Action.MERGE
    representative: str
    #: False if the map already has all of it.
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Consume(_Decided):
    """A modification that a meeting consumed."""

    action: ClassVar = Action.CONSUME
    #: None if it stays consumed as the map has it.
    meeting: str | None = None
    #: False if the map already has all of it.
    changed: bool = True


@dataclass(frozen=True, slots=True)
class LeaveOut(_Decided):
    """An event that the archive does not take."""

    action: ClassVar = Action.LEAVE_OUT
    #: None if it stays left out as the map has it.
    reason: LeftOut | None = None
    #: The label of the overlap that leaves it out.
    group: str | None = None
    #: As in ``Create``, for an event that only an overlap leaves out.
    formerly: str | None = None
    #: False if the map already has all of it.
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Flag(_Decided):
    """An event that waits for its owner."""

    action: ClassVar = Action.FLAG
    times: ModifiedTimes | None = None
    #: The label of the overlap whose resolution it waits for.
    group: str | None = None
    #: As in ``Create``.
    formerly: str | None = None
    #: False if the map already has all of it.
    changed: bool = True


type Decision = (
    Create | Update | Unchanged | RemovedByOwner | EditedByOwner | Merge | Consume | LeaveOut | Flag
)
"""What to do for one source event."""

type Heir = Create | Flag | LeaveOut
"""A decision that is made again when it is known what became of ``formerly`` (domain.md 2.9)."""


def times_of(decision: Decision) -> ModifiedTimes | None:
    """The times with which modifications have the event written or kept, if they change them."""
    return decision.times if isinstance(decision, Create | Update | Flag) else None


def applied_modifications(decision: Decision) -> tuple[Modification, ...]:
    """The modifications that change the times of the event."""
    times = times_of(decision)
    return times.modifications if times else ()


def own_row(known: KnownEvent | None) -> KnownEvent | None:
    """The event's row as if it had its own copy."""
    return None if known is None or known.state is ArchivedEventState.MERGED else known


def compare(
    key: str, revision: str, known: KnownEvent | None, mode: RunMode, times: ModifiedTimes | None = None
) -> Decision:
    """Compare an event that is archived alone with its row (domain.md 2.4, 2.10)."""
    row = own_row(known)
    if row is None:
        return Create(key, revision, times, formerly=known.merged_into if known else None)
    replaces = mode is RunMode.REPLACE
    if row.state is ArchivedEventState.REMOVED_BY_OWNER:
        if not replaces:
            return RemovedByOwner(key, revision)
        # Only the write shows whether the copy is really gone. Only then is it created again (2.10).
        return Update(key, revision, times) if row.has_copy else Create(key, revision, times)
    if row.state is ArchivedEventState.SUPERSEDED and not replaces:
        return Unchanged(key, revision)
    if not row.stands and not (row.state is ArchivedEventState.SUPERSEDED and row.has_copy):
        return Create(key, revision, times)
    back = row.state is ArchivedEventState.SOURCE_DELETED
    if replaces:
        return Update(key, revision, times, back=back)
    if row.revision != revision and row.conflict_revision == revision:
        return EditedByOwner(key, revision, back=back or row.shown_free)
    if row.pending or row.shown_free or row.revision != revision:
        return Update(key, revision, times, back=back)
    return Unchanged(key, revision, back=row.state is not ArchivedEventState.PRESENT)


def compare_again(decided: Create | Flag, known: KnownEvent | None, mode: RunMode) -> Decision:
    """Compare a decided write with its row, which changed hands since (domain.md 2.9)."""
    now = compare(decided.source_key, decided.revision, known, mode, decided.times)
    return replace(now, formerly=None) if isinstance(now, Create) else now


def merge(candidate: Candidate, standing: set[str]) -> Merge:
    """Merge it into its present representative, or into the smallest key (domain.md 2.9)."""
    facts, known = candidate.facts, candidate.known
    into = known.merged_into if known and known.state is ArchivedEventState.MERGED else None
    if known is not None and into is not None and into in standing:
        return Merge(facts.key, facts.revision, into, changed=known.revision != facts.revision)
    return Merge(facts.key, facts.revision, min(standing))


def consume(candidate: Candidate, meeting: str) -> Consume:
    """A modification that its meeting consumed (domain.md 4.6)."""
    facts, known = candidate.facts, candidate.known
    said = (
        known is not None
        and not known.pending
        and known.state is ArchivedEventState.CONSUMED
        and (known.merged_into, known.revision) == (meeting, facts.revision)
    )
    return Consume(facts.key, facts.revision, meeting, changed=not said)


def leave_out(
    key: str, revision: str, known: KnownEvent | None, reason: LeftOut, group: str | None = None
) -> LeaveOut:
    """An event that the archive does not take (domain.md 2.7, 5.4)."""
    said = (
        known is not None
        and not known.pending
        and known.state is ArchivedEventState.LEFT_OUT
        and (known.left_out, known.revision) == (reason, revision)
    )
    formerly = _formerly(known) if group is not None else None
    return LeaveOut(key, revision, reason, group, formerly, changed=not said)


def flag(
    key: str,
    revision: str,
    known: KnownEvent | None,
    group: str | None = None,
    times: ModifiedTimes | None = None,
) -> Flag:
    """An event that waits for the resolution of its overlap or for another answer (2.16, 5.3)."""
    said = (
        known is not None
        and not known.pending
        and (known.state, known.revision) == (ArchivedEventState.FLAGGED, revision)
    )
    return Flag(key, revision, times, group, _formerly(known), changed=not said)


def _formerly(known: KnownEvent | None) -> str | None:
    """The representative of an event that was merged until now."""
    return known.merged_into if known is not None and known.state is ArchivedEventState.MERGED else None


def stay_aside(key: str, known: KnownEvent) -> Flag | LeaveOut | Consume | None:
    """What keeps an event that waits or is left out as the map has it. None if it is neither."""
    match known.state:
        case ArchivedEventState.FLAGGED:
            return Flag(key, known.revision, changed=False)
        case ArchivedEventState.LEFT_OUT:
            return LeaveOut(key, known.revision, changed=False)
        case ArchivedEventState.CONSUMED:
            return Consume(key, known.revision, changed=False)
        case _:
            return None
