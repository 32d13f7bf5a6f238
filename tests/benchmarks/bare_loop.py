"""The same reads and batches as ours from a bare loop: no plan, no database, no record, no retries.

What the simulator, the machine and the batch limit allow at best; ours can only be slower.
"""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx

from infra.local import identities
from tests.support.system import Archive, System

_BATCH = 20
_FIELDS = (
    "subject,body,start,end,originalStartTimeZone,originalEndTimeZone,isAllDay,location,categories,showAs,"
    "importance,sensitivity,iCalUId,changeKey,type,seriesMasterId,originalStart,isCancelled,responseStatus,"
    "hasAttachments,organizer,attendees"
)
_PREFER = 'outlook.timezone="UTC", IdType="ImmutableId"'


async def archive_in_a_loop(system: System, archive: Archive) -> float:
    """Seconds to read the window and copy every event of it, 20 to a batch, one batch after another."""
    mailbox = identities.object_id(archive.address)
    base = f"{system.stack.simulator_url}/v1.0"
    headers = {"Authorization": f"Bearer {await graph_token(system)}"}
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
        answer = await client.get(f"{base}/users/{mailbox}/calendars")
        ids = {each["name"]: each["id"] for each in answer.json()["value"]}
        began = time.perf_counter()
        page: str | None = f"{base}/users/{mailbox}/calendars/{ids['Calendar']}/calendarView"
        query: dict[str, str] | None = {
            "startDateTime": archive.start.isoformat(),
            "endDateTime": archive.end.isoformat(),
            "$top": "1000",
            "$orderby": "start/dateTime",
            "$select": _FIELDS,
        }
        while page is not None:
            read = (await client.get(page, params=query, headers={"Prefer": _PREFER})).json()
            target = f"/users/{mailbox}/calendars/{ids['Archive']}/events"
            for requests in _batches(read["value"], target):
                sent = await client.post(
                    f"{base}/$batch",
                    content=json.dumps({"requests": requests}),
                    headers={"Content-Type": "application/json"},
                )
                wrong = [each for each in sent.json()["responses"] if each["status"] != httpx.codes.CREATED]
                if wrong:
                    raise RuntimeError(f"the simulator refused: {wrong[0]}")
            page, query = read.get("@odata.nextLink"), None
        return time.perf_counter() - began


async def graph_token(system: System) -> str:
    """A token of the app's managed identity."""
    answer = await system.stack.client.get(
        f"{system.stack.simulator_url}/msi/token",
        params={"api-version": "2019-08-01", "resource": "https://graph.microsoft.com"},
        headers={"X-IDENTITY-HEADER": identities.IDENTITY_HEADER},
    )
    return str(answer.json()["access_token"])


def _batches(events: list[dict[str, Any]], target: str) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, len(events), _BATCH):
        yield [
            {
                "id": str(number),
                "method": "POST",
                "url": target,
                "headers": {"Content-Type": "application/json", "Prefer": 'IdType="ImmutableId"'},
                "body": _copy(event),
            }
            for number, event in enumerate(events[first : first + _BATCH])
        ]


def _copy(event: dict[str, Any]) -> dict[str, Any]:
    kept = (
        "subject",
        "body",
        "start",
        "end",
        "isAllDay",
        "categories",
        "showAs",
        "importance",
        "sensitivity",
    )
    return {name: event[name] for name in kept} | {"isReminderOn": False, "transactionId": str(uuid4())}
