"""The simulated mailbox of a test: what stands in it, and what its owner does there."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from infra.local.graph_simulator import GraphSimulator
from shared.domain.copies.archive_copy import ARCHIVE_KEY_PROPERTY

ADDRESS = "ada@example.test"


def event(subject: str, start: datetime, minutes: int = 60, **fields: Any) -> dict[str, Any]:
    """A Graph-shaped event for the simulator."""
    end = start + timedelta(minutes=minutes)
    return {
        "subject": subject,
        "body": {"contentType": "html", "content": f"<p>{subject}</p>"},
        "start": {"dateTime": start.replace(tzinfo=None).isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": end.replace(tzinfo=None).isoformat(), "timeZone": "UTC"},
        "createdDateTime": "2026-02-01T08:00:00Z",
        **fields,
    }


class SimulatedMailbox:
    """Reads and edits the mailbox at the simulator, not through the product."""

    simulator: GraphSimulator
    _http: httpx.AsyncClient

    async def _post(self, path: str, body: Any) -> Any:
        answer = await self._http.post(path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def events(self, calendar: str) -> list[dict[str, Any]]:
        """What stands in a calendar, read at the simulator, not through the product."""
        answer = await self._http.get(
            f"/_simulator/mailboxes/{ADDRESS}/events", params={"calendar": calendar}
        )
        answer.raise_for_status()
        return list(answer.json()["value"])

    async def copies(self) -> list[dict[str, Any]]:
        """The archive calendar."""
        return await self.events("Archive")

    async def copies_by_key(self) -> Counter[str]:
        """How many copies each archive key has."""
        return Counter(property_of(copy, ARCHIVE_KEY_PROPERTY) for copy in await self.copies())

    async def add(self, *events: dict[str, Any]) -> None:
        """New events in the source calendar."""
        for each in events:
            await self._post(f"/_simulator/mailboxes/{ADDRESS}/events?calendar=Calendar", each)

    async def add_to_archive(self, copy: dict[str, Any]) -> None:
        """A second copy with the same origin, as a person who duplicates an entry makes it."""
        kept = ("subject", "body", "start", "end", "showAs", "singleValueExtendedProperties")
        await self._post(
            f"/_simulator/mailboxes/{ADDRESS}/events?calendar=Archive",
            {name: copy[name] for name in kept if name in copy},
        )

    async def move(self, event_id: str, calendar: str) -> None:
        """Move an event to another calendar of the mailbox."""
        await self._post(f"/_simulator/mailboxes/{ADDRESS}/events/{event_id}/move", {"calendar": calendar})

    async def edit(self, event_id: str, **fields: Any) -> None:
        """Change an event as its owner does."""
        await self._post(f"/_simulator/mailboxes/{ADDRESS}/events/{event_id}/edit", fields)

    async def delete(self, event_id: str) -> None:
        """Delete an event as its owner does."""
        answer = await self._http.delete(f"/_simulator/mailboxes/{ADDRESS}/events/{event_id}")
        answer.raise_for_status()

    async def source(self, subject: str) -> dict[str, Any]:
        """The one source event of a subject."""
        return next(e for e in await self.events("Calendar") if e["subject"] == subject)

    async def copy(self, subject: str) -> dict[str, Any]:
        """The one copy of a subject."""
        found = [e for e in await self.copies() if e["subject"] == subject]
        assert len(found) == 1, [e["subject"] for e in await self.copies()]
        return found[0]

    def fault(self, kind: str, subject: str, **rule: Any) -> None:
        """What Graph cannot read of the source event of a subject, until ``mend``."""
        match = {"path_regex": "calendarView|/events/"}
        self.simulator.faults.add({"kind": kind, "event": subject, "times": None, "match": match, **rule})

    def hide_new_copies(self, times: int) -> None:
        """Let reads by id and searches by key show no copy of the last minute, ``times`` of them."""
        match = {"method": "GET", "path_regex": "/events(/|$)", "in_batch": False}
        self.simulator.faults.add({"kind": "stale_read", "times": times, "match": match})

    def mend(self) -> None:
        """Graph can read everything again."""
        self.simulator.faults.clear()

    def counts(self) -> Mapping[str, Any]:
        """The simulator's request counters."""
        return self.simulator.counters.as_dict()


def property_of(copy: Mapping[str, Any], property_id: str) -> str:
    """The value of an extended property, empty if the copy lacks it."""
    for each in copy.get("singleValueExtendedProperties", []):
        if each["id"].casefold() == property_id.casefold():
            return str(each["value"])
    return ""
