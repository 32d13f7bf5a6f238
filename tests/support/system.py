"""A whole running system with one mailbox after another, for acceptance tests and benchmarks."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local import identities
from infra.local.api import Api
from infra.local.stack import Stack

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
_TERMINAL = frozenset({"completed", "completed_with_errors", "failed", "cancelled"})
_ARCHIVE_KEY = " Name ArchiveKey"


@dataclass(frozen=True, slots=True)
class Archive:
    """A mailbox whose default calendar is archived into ``Archive``."""

    address: str
    configuration_id: str
    start: datetime
    end: datetime


class System:
    """Drives a stack as a customer would: through the API, and looks at the mailboxes from outside."""

    def __init__(self, stack: Stack, api: Api) -> None:
        self.stack = stack
        self.api = api

    @classmethod
    async def of(cls, stack: Stack) -> "System":
        """A system with an administrator signed in."""
        return cls(stack, Api(stack.client, stack.api, await stack.token()))

    async def add_mailbox(self, name: str, events: int, *, body_bytes: int = 300) -> Archive:
        """A person with ``events`` events, 30 minutes apart, and a configuration for all of them."""
        address = f"{name}@example.com"
        start = FIRST_DAY
        items = [
            _event(number, start + timedelta(minutes=30 * number), body_bytes) for number in range(events)
        ]
        end = start + timedelta(days=events // 48 + 1)
        await self.stack.simulator(
            "POST",
            "mailboxes",
            [
                {
                    "address": address,
                    "oid": identities.object_id(address),
                    "display_name": name,
                    "time_zone": "UTC",
                    "calendars": [{"name": "Calendar", "is_default": True, "events": items}],
                }
            ],
        )
        user = await self.api.request(
            "POST",
            "users",
            {"object_id": identities.object_id(address), "address": address, "display_name": name},
        )
        configuration = await self.api.request(
            "POST",
            "archive-configurations",
            {
                "user_id": user.json()["id"],
                "name": "Archive",
                "source": f"msgraph://{address}/calendar",
                "archive": f"msgraph://{address}/calendars/Archive",
                "create_archive_calendar": True,
                "time_zone": "UTC",
                "archive_from": start.date().isoformat(),
                "is_default": True,
            },
        )
        return Archive(address, configuration.json()["id"], start, end)

    async def start_run(self, archive: Archive) -> tuple[str, float]:
        """Request a run; its status URL and the epoch second of the 202."""
        answer = await self.api.request(
            "POST",
            f"archive-configurations/{archive.configuration_id}/runs",
            {"window_start": archive.start.isoformat(), "window_end": archive.end.isoformat()},
        )
        return answer.headers["Location"], time.time()

    async def finished(
        self, status_url: str, seconds: float = 300, poll: float | None = 0.2
    ) -> dict[str, Any]:
        """The run once it is over, asked for as often as said, or (None) as often as the API wants it.

        Raises TimeoutError.
        """
        async with asyncio.timeout(seconds):
            while True:
                answer = await self.api.request("GET", status_url)
                run: dict[str, Any] = answer.json()
                if run["status"] in _TERMINAL:
                    return run
                await asyncio.sleep(float(answer.headers["Retry-After"]) if poll is None else poll)

    async def archive(self, archive: Archive) -> tuple[dict[str, Any], float]:
        """Request a run and follow it; the run and the seconds from the 202 to the end of its row."""
        status_url, accepted = await self.start_run(archive)
        # Asking costs the host CPU that a benchmark would count.
        run = await self.finished(status_url, poll=None)
        return run, datetime.fromisoformat(run["finished_at"]).timestamp() - accepted

    async def copies(self, archive: Archive) -> Counter[str]:
        """How many copies each archive key has, read back at the mailbox."""
        found = await self.stack.simulator("GET", f"mailboxes/{archive.address}/events", calendar="Archive")
        return Counter(_archive_key(copy) for copy in found["value"])

    async def counters(self) -> dict[str, Any]:
        """The simulator's counters."""
        counters: dict[str, Any] = await self.stack.simulator("GET", "counters")
        return counters

    async def reset_counters(self) -> None:
        """Count from zero."""
        await self.stack.simulator("POST", "counters/reset")


def _event(number: int, start: datetime, body_bytes: int) -> dict[str, Any]:
    def moment(instant: datetime) -> dict[str, str]:
        return {"dateTime": instant.replace(tzinfo=None).isoformat(), "timeZone": "UTC"}

    return {
        "subject": f"Meeting {number}",
        "body": {"contentType": "html", "content": f"<p>{'word ' * (body_bytes // 5)}</p>"},
        "start": moment(start),
        "end": moment(start + timedelta(minutes=25)),
        "categories": ["Acme - billable"],
    }


def _archive_key(copy: Mapping[str, Any]) -> str:
    properties = copy.get("singleValueExtendedProperties") or []
    return next((str(p["value"]) for p in properties if p["id"].endswith(_ARCHIVE_KEY)), str(copy["id"]))
