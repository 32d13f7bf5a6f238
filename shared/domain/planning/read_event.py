"""A source event for a plan: under its key, with the changes that its copy takes (domain.md 2.3, 2.17)."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.events.source_event import SourceEvent, source_key
from shared.domain.planning.purpose import LeftOut


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One event of a page."""

    #: The content that its copy follows. For a changed series, its times may be the archived ones.
    event: SourceEvent
    key: str
    #: Its start in the calendar, UTC. Pages are in this order.
    place: datetime
    #: Set if its copy already has all of this.
    archived_revision: str | None = None
    #: Not archived, whatever the purpose says.
    left_out: LeftOut | None = None
    #: A person must decide first.
    waits: bool = False
    #: The event as its calendar shows it, if a person can see that its copy differs (2.17).
    withheld: SourceEvent | None = None
    #: Its categories in the calendar, if its copy keeps others (2.16). Duplicates are found by these.
    own_categories: tuple[str, ...] | None = None

    @classmethod
    def of(cls, event: SourceEvent) -> "ReadEvent":
        """An event without stored facts. Raises ValueError for one without a key."""
        return cls(event, source_key(event), event.start)
