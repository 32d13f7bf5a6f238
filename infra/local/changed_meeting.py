"""A moment of the demonstration tenant: an archived meeting is entered again later on the same day.

The archive keeps the copy and asks whether both are one meeting (domain.md 2.16 d). The person answers.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from infra.local import identities
from infra.local.api import Api
from infra.local.runs import Wanted, archive
from infra.local.stack import Stack

PERSON = "paul.weber@example.com"
_NAME = "Paul Weber"
_SUBJECT = "Steering committee"
_EVENTS = f"mailboxes/{PERSON}/events"
_FIRST = 9
_WINDOW = (datetime(2026, 1, 12, tzinfo=UTC), datetime(2026, 1, 13, tzinfo=UTC))


async def make(stack: Stack, admin: Api, tell: Callable[[str], None]) -> None:
    """Archive the meeting, enter it again two hours later, and archive once more.

    What a start that was interrupted did already is not done twice.
    """
    calendar = {"name": "Calendar", "is_default": True, "events": [_meeting(_FIRST)]}
    oid = identities.object_id(PERSON)
    mailbox = {"address": PERSON, "oid": oid, "display_name": _NAME, "calendars": [calendar]}
    if not any(entry["address"] == PERSON for entry in (await stack.simulator("GET", "mailboxes"))["value"]):
        await stack.simulator("POST", "mailboxes", [mailbox])
    configuration = await _configuration(admin)
    meetings = {
        each["start"]["dateTime"][:19]: each["id"]
        for each in (await stack.simulator("GET", _EVENTS))["value"]
    }
    if (former := meetings.get(_day(_FIRST))) is not None:
        await archive(admin, [Wanted(configuration, _WINDOW)], tell)
        if _day(_FIRST + 2) not in meetings:
            await stack.simulator("POST", _EVENTS, _meeting(_FIRST + 2))
        await stack.simulator("DELETE", f"{_EVENTS}/{former}")
    if not [each async for each in admin.items("action-items", configuration_id=configuration["id"])]:
        await archive(admin, [Wanted(configuration, _WINDOW)], tell)


async def _configuration(admin: Api) -> dict[str, Any]:
    users = {user["address"]: user["id"] async for user in admin.items("users")}
    if PERSON not in users:
        users[PERSON] = (await admin.request("POST", "users", {"address": PERSON})).json()["id"]
    async for configuration in admin.items("archive-configurations", user_id=users[PERSON]):
        return configuration
    wish = {
        "user_id": users[PERSON],
        "name": "Archive",
        "source": f"msgraph://{PERSON}/calendar",
        "archive": f"msgraph://{PERSON}/calendars/Archive",
        "create_archive_calendar": True,
        "time_zone": "UTC",
        "archive_from": "2026-01-12",
        "schedule": {"kind": "manual"},
    }
    answer: dict[str, Any] = (await admin.request("POST", "archive-configurations", wish)).json()
    return answer


async def found(stack: Stack) -> dict[str, Any]:
    """The question as the person reads it."""
    api = Api(stack.client, stack.api, await stack.token(PERSON, ("User",)))
    ids = [each["id"] async for each in api.items("action-items")]
    items = [(await api.request("GET", f"action-items/{each}")).json() for each in ids]
    return {
        "person": PERSON,
        "questions": [
            {
                "id": item["id"],
                "status": item["status"],
                "subject": _SUBJECT,
                "answers": item["answers"],
                "archived": [event["start"] for event in item["archived"]],
                "new": [event["start"] for event in item["new"]],
            }
            for item in items
        ],
    }


def as_text(moment: dict[str, Any]) -> str:
    """A line of the report for each question."""
    return "\n".join(
        f"A changed meeting: “{item['subject']}” of {moment['person']} was archived, then entered again two "
        f"hours later. The question is {item['status']}; its answers: {', '.join(item['answers'])}."
        for item in moment["questions"]
    )


def _meeting(hour: int) -> dict[str, Any]:
    start, end = (_day(each) for each in (hour, hour + 1))
    return {
        "subject": _SUBJECT,
        "start": {"dateTime": start, "timeZone": "UTC"},
        "end": {"dateTime": end, "timeZone": "UTC"},
        "categories": ["Acme - billable"],
    }


def _day(hour: int) -> str:
    return f"2026-01-12T{hour:02}:00:00"
