"""Another person's mailbox: what an administrator gets of it, and what not, through the running system."""

import asyncio
from typing import Any

import pytest

from infra.local import identities
from infra.local.api import Api
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.support.person import Archived, Person, at, meeting, week

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "Surgeon"


async def test_another_mailbox(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """An Admin archives another's calendar only while another approves it; private events are times alone."""
    diary = [meeting("Steering", at(9)), meeting(SECRET, at(11), sensitivity="private")]
    read = await Person.join(stack, "read", diary)
    reader = await Person.join(stack, "reader", [])
    boss = Api(stack.client, stack.api, await stack.token(reader.address))
    own = await read.own_api()
    wish = {
        "user_id": reader.user_id,
        "name": "Over another",
        "source": f"msgraph://{read.address}/calendar",
        "archive": f"msgraph://{reader.address}/calendars/Taken",
        "create_archive_calendar": True,
        "time_zone": "UTC",
        "archive_from": at(0).date().isoformat(),
        "schedule": {"kind": "manual"},
    }
    made = (await boss.request("POST", "archive-configurations", wish)).json()
    archived = Archived(made["id"], f"archive-configurations/{made['id']}", "Taken")
    (asked,) = (await own.request("GET", "me")).json()["mailbox"]["read_by"]
    approval = f"mailbox-approvals/{asked['id']}"

    unapproved = await tried(boss, archived)
    alone = (await boss.request("POST", f"{approval}/approve", accept=(403,))).status_code
    await read.api.request("POST", f"{approval}/approve")
    await reader.over(await reader.start(archived))
    copies = await reader.subjects("Taken")
    seen = await subjects(boss, reader)
    await own.request("POST", f"{approval}/object")
    objected = (await tried(boss, archived), await subjects(boss, reader))
    measured = f"{unapproved} and {alone}, then {copies} and {seen}, objected: {objected}"
    bound = "409 and 403, then ['Private', 'Steering'] twice, objected: (409, [])"
    acceptance_point(measured=measured, bound=bound)
    assert (unapproved, alone) == (409, 403)
    assert copies == seen == ["Private", "Steering"]
    assert objected == (409, [])


async def test_who_is_no_user_is_told_by_mail(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A person who is no user is told by mail of the request and of the approval, and objects signed in."""
    for address in ("nobody@example.com", identities.MAIL_SENDER):
        oid = identities.object_id(address)
        calendars = [{"name": "Calendar", "is_default": True, "events": []}]
        mailbox = {"address": address, "oid": oid, "display_name": address, "calendars": calendars}
        await stack.simulator("POST", "mailboxes", [mailbox])
    reader = await Person.join(stack, "curious", [])
    boss = Api(stack.client, stack.api, await stack.token(reader.address))
    wish = {
        "user_id": reader.user_id,
        "name": "Over nobody",
        "source": "msgraph://nobody@example.com/calendar",
        "archive": f"msgraph://{reader.address}/calendars/Nobody",
        "create_archive_calendar": True,
        "time_zone": "UTC",
        "archive_from": at(0).date().isoformat(),
        "schedule": {"kind": "manual"},
    }
    await boss.request("POST", "archive-configurations", wish)
    own = Api(stack.client, stack.api, await stack.token("nobody@example.com", ("User",)))
    (asked,) = (await own.request("GET", "me")).json()["mailbox"]["read_by"]
    await reader.api.request("POST", f"mailbox-approvals/{asked['id']}/approve")

    async def inbox() -> list[str]:
        got = await stack.simulator("GET", "mailboxes/nobody@example.com/inbox")
        return sorted(mail["message"]["subject"] for mail in got["value"])

    subjects: list[str] = []
    async with asyncio.timeout(90):
        while len(subjects) < 2:
            await asyncio.sleep(1)
            subjects = await inbox()
    objected = (await own.request("POST", f"mailbox-approvals/{asked['id']}/object")).json()["status"]
    acceptance_point(measured=f"{subjects}, {objected}", bound="both told once, objected")
    assert subjects == ["Somebody wants to archive your calendar", "Your calendar is archived"]
    assert objected == "objected"


async def tried(api: Api, archived: Archived) -> int:
    """What asking for a run answers."""
    window = {"window_start": at(0).isoformat(), "window_end": at(0, 7).isoformat()}
    answer: Any = await api.request("POST", f"{archived.path}/runs", window, accept=(409,))
    return int(answer.status_code)


async def subjects(api: Api, person: Person) -> list[str]:
    """What the person's record shows to whom the token is."""
    query = week() | {"user_id": person.user_id}
    return sorted([item["subject"] async for item in api.items("appointments", **query)])
