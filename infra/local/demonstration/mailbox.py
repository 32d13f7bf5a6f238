"""One mailbox of the demonstration tenant."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from infra.local import identities


@dataclass(frozen=True, slots=True)
class DemoArchive:
    """An archive of the primary calendar: the calendar it goes into, and what it takes (domain.md 2.7, 5.3).

    ``backfill_from`` is the first date of a backfill that is started beside it (domain.md 2.14).
    """

    name: str
    calendar: str
    #: ``outlook``, or ``local`` for a calendar kept in our database (domain.md 1).
    store: str = "outlook"
    purpose: str = "general"
    overlap_policy: str | None = None
    backfill_from: date | None = None


#: What everybody has.
EVERYTHING = DemoArchive("Calendar archive", "Archive")


@dataclass(frozen=True, slots=True)
class DemoMailbox:
    """A person with the events of the primary calendar, Graph-shaped, and the first date that is archived."""

    address: str
    display_name: str
    #: IANA name.
    time_zone: str
    archive_from: date
    events: list[dict[str, Any]]
    #: The first one is the person's default.
    archives: tuple[DemoArchive, ...] = (EVERYTHING,)

    def as_load(self) -> dict[str, Any]:
        """The mailbox as the simulator loads it."""
        return {
            "address": self.address,
            "oid": identities.object_id(self.address),
            "display_name": self.display_name,
            "time_zone": self.time_zone,
            "calendars": [{"name": "Calendar", "is_default": True, "events": self.events}],
        }
