"""One person of a running system: their mailbox from outside, their archives through the API."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local import identities
from infra.local.api import Api
from infra.local.stack import Stack
from tests.support.system import FIRST_DAY

type Json = dict[str, Any]

ACME_NAME = "Acme - billable"
ACME: Json = {"categories": [ACME_NAME]}
OUTCOMES = (
    *("archived", "unchanged", "updated", "merged", "consumed"),
    *("left_out", "flagged", "locked", "conflict", "failed"),
)
_OVER = frozenset({"completed", "completed_with_errors", "cancelled", "failed", "ready"})


def meeting(subject: str, start: datetime, minutes: int = 60, **fields: Any) -> Json:
    """An event of a source calendar, UTC."""

    def moment(instant: datetime) -> Json:
        return {"dateTime": instant.replace(tzinfo=None).isoformat(), "timeZone": "UTC"}

    return {
        "subject": subject,
        "body": {"contentType": "html", "content": f"<p>{subject}</p>"},
        "start": moment(start),
        "end": moment(start + timedelta(minutes=minutes)),
        **fields,
    }


def at(hour: float, day: int = 0) -> datetime:
    """An instant of the first day, or of a later one."""
    return FIRST_DAY + timedelta(days=day, hours=hour)


@dataclass(frozen=True, slots=True)
class Archived:
    """A configuration of a person: its path at the API and its archive calendar."""

    id: str
    path: str
    calendar: str


class Person:
    """Works with the system as the person and their administrator would."""

    def __init__(self, stack: Stack, api: Api, address: str, user_id: str) -> None:
        self.stack = stack
        #: An administrator's.
        self.api = api
        self.address = address
        self.user_id = user_id

    @classmethod
    async def join(cls, stack: Stack, name: str, events: list[Json]) -> "Person":
        """A person with these events in their calendar, added as a user."""
        address = f"{name}@example.com"
        calendars = [{"name": "Calendar", "is_default": True, "events": events}]
        mailbox = {
            "address": address,
            "oid": identities.object_id(address),
            "display_name": name,
            "time_zone": "UTC",
            "calendars": calendars,
        }
        await stack.simulator("POST", "mailboxes", [mailbox])
        api = Api(stack.client, stack.api, await stack.token())
        user = (await api.request("POST", "users", {"address": address})).json()
        return cls(stack, api, address, user["id"])

    async def own_api(self) -> Api:
        """The API with the person's own token."""
        return Api(self.stack.client, self.stack.api, await self.stack.token(self.address, ("User",)))

    async def configure(self, archive: str = "Archive", **wish: Any) -> Archived:
        """A configuration from the first day on; ``archive`` is a calendar's name or a reference."""
        reference = archive if "://" in archive else f"msgraph://{self.address}/calendars/{archive}"
        body = {
            "user_id": self.user_id,
            "name": archive,
            "source": f"msgraph://{self.address}/calendar",
            "archive": reference,
            "create_archive_calendar": True,
            "time_zone": "UTC",
            "archive_from": FIRST_DAY.date().isoformat(),
            "schedule": {"kind": "manual"},
        }
        made = (await self.api.request("POST", "archive-configurations", body | wish)).json()
        return Archived(made["id"], f"archive-configurations/{made['id']}", archive)

    async def get(self, url: str, **query: Any) -> Json:
        """A resource as it stands."""
        found: Json = (await self.api.request("GET", url, **query)).json()
        return found

    async def items(self, url: str, **query: Any) -> list[Json]:
        """All items of a list."""
        return [item async for item in self.api.items(url, **query)]

    async def post(self, url: str, body: Json | None = None) -> str:
        """Ask for something; where it is."""
        return str((await self.api.request("POST", url, body)).headers["Location"])

    async def over(
        self, url: str, meanwhile: Callable[[Json], Awaitable[object]] | None = None, seconds: float = 120
    ) -> Json:
        """A resource once it is over. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while (found := await self.get(url))["status"] not in _OVER:
                if meanwhile is not None:
                    await meanwhile(found)
                await asyncio.sleep(0.1)
        return found

    async def start(self, archived: Archived, first: int = 0, days: int = 7, **wish: Any) -> str:
        """Request a run of this many days from the first one on. Returns its URL."""
        window = {"window_start": at(0, first).isoformat(), "window_end": at(0, first + days).isoformat()}
        return await self.post(f"{archived.path}/runs", window | wish)

    async def archive(self, archived: Archived, first: int = 0, days: int = 7, **wish: Any) -> Json:
        """The report of such a run, with its ``state``."""
        url = await self.start(archived, first, days, **wish)
        state = (await self.over(url))["status"]
        # An administrator is told of private events as one number; their owner of all.
        run = (await (await self.own_api()).request("GET", url)).json()
        return {**run["report"], "status": state}

    async def events(self, calendar: str = "Calendar") -> list[Json]:
        """What stands in a calendar, as the simulator has it."""
        found = await self.stack.simulator("GET", f"mailboxes/{self.address}/events", calendar=calendar)
        return list(found["value"])

    async def event(self, subject: str, calendar: str = "Calendar") -> Json:
        """The one event of that subject."""
        (found,) = [event for event in await self.events(calendar) if event["subject"] == subject]
        return found

    async def subjects(self, calendar: str = "Archive") -> list[str]:
        """The subjects in a calendar, sorted."""
        return sorted(event["subject"] for event in await self.events(calendar))

    async def add(self, event: Json) -> None:
        """A new event in the person's calendar."""
        await self.stack.simulator("POST", f"mailboxes/{self.address}/events", event, calendar="Calendar")

    async def edit(self, event: Json, **fields: Any) -> None:
        """Change an event by hand, in whatever calendar it is."""
        path = f"mailboxes/{self.address}/events/{event['id']}/edit"
        await self.stack.simulator("PATCH", path, fields)

    async def delete(self, event: Json) -> None:
        """Delete an event by hand."""
        await self.stack.simulator("DELETE", f"mailboxes/{self.address}/events/{event['id']}")

    async def delete_calendar(self, name: str) -> None:
        """Delete a calendar by hand, with everything in it."""
        await self.stack.simulator("DELETE", f"mailboxes/{self.address}/calendars/{name}")

    async def fire(self, function: str) -> None:
        """Let a timer of the host come now."""
        await self.stack.client.post(f"{self.stack.base_url}/admin/functions/{function}", json={})


def ends(event: Json) -> datetime:
    """When an event of the simulator ends, UTC."""
    return datetime.fromisoformat(event["end"]["dateTime"][:26]).replace(tzinfo=UTC)


def starts(event: Json) -> datetime:
    """When it starts, UTC."""
    return datetime.fromisoformat(event["start"]["dateTime"][:26]).replace(tzinfo=UTC)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    """Wait for something that happens automatically. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.1)


def overlapping() -> list[Json]:
    """Two billable events that overlap, none more important than the other, and one beside them."""
    return [
        meeting("Workshop", at(9), 120, **ACME),
        meeting("Call", at(10), 30, **ACME),
        meeting("Alone", at(18), **ACME),
    ]


def accounted(report: Json) -> bool:
    """Whether each source event is in exactly one outcome."""
    return bool(sum(report[name] for name in OUTCOMES) == report["source_events"])


def written(report: Json) -> int:
    """How many copies a run wrote."""
    return int(report["archived"]) + int(report["updated"])


def week() -> Json:
    """The first week as a query."""
    return {"window_start": at(0).isoformat(), "window_end": at(0, 7).isoformat()}
