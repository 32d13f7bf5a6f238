"""A source event as a plan takes it: under its key, as far as its copy follows it (domain.md 2.3, 2.17)."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.events.source_event import SourceEvent, source_key
from shared.domain.planning.purpose import LeftOut


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One event of a page. ``place`` is its start in the calendar, UTC, by which pages are in order.

    ``event`` is what its copy follows: of a changed series its times may be those that are archived.
    ``archived_revision`` is set where its copy says all of that already. ``left_out``: it is not to be
    archived, whatever the purpose says. ``waits``: somebody has to decide first. ``withheld`` is the event as
    its calendar shows it, where a person sees that its copy does not follow (2.17).
    """

    event: SourceEvent
    key: str
    place: datetime
    archived_revision: str | None = None
    left_out: LeftOut | None = None
    waits: bool = False
    withheld: SourceEvent | None = None

    @classmethod
    def of(cls, event: SourceEvent) -> "ReadEvent":
        """An event of which nothing is known. Raises ValueError for one without a key."""
        return cls(event, source_key(event), event.start)
