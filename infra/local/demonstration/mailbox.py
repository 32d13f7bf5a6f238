"""One mailbox of the demonstration tenant."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from infra.local import identities


@dataclass(frozen=True, slots=True)
class DemoMailbox:
    """A person with the events of the primary calendar, Graph-shaped, and the first date that is archived."""

    address: str
    display_name: str
    #: IANA name.
    time_zone: str
    archive_from: date
    events: list[dict[str, Any]]

    def as_load(self) -> dict[str, Any]:
        """The mailbox as the simulator loads it."""
        return {
            "address": self.address,
            "oid": identities.object_id(self.address),
            "display_name": self.display_name,
            "time_zone": self.time_zone,
            "calendars": [{"name": "Calendar", "is_default": True, "events": self.events}],
        }
