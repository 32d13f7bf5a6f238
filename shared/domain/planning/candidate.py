"""An event on its way through a plan, and what is stored about it (domain.md 2.3, 2.13)."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.planning.event_facts import EventFacts
from shared.domain.planning.modifications import Modification
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archived_event import ArchivedEventState

_MAY_HAVE_COPY = (ArchivedEventState.PRESENT, ArchivedEventState.SOURCE_DELETED, ArchivedEventState.CONSUMED)
# A lost copy that was consumed or superseded counts no time.
_MAY_BE_LOST = (ArchivedEventState.CREATING, ArchivedEventState.SOURCE_DELETED)


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
    #: For an event without a copy: whether its write may be planned or in flight. A plan that ended early
    #: leaves rows without a write (False).
    under_way: bool = True

    #: Its copy was lost with its calendar, and is created again.
    lost: bool = False

    @property
    def stands(self) -> bool:
        """Whether its own copy is in the archive calendar, as far as known."""
        return self.has_copy and self.state in _MAY_HAVE_COPY

    @property
    def archived(self) -> bool:
        """Whether its own copy stands, or is created again: what is archived stays archived (2.5)."""
        return self.stands or (self.lost and self.state in _MAY_BE_LOST)


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
        """Whether it has a copy, or a lost one."""
        return self.known is not None and self.known.archived
