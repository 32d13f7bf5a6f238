"""A moment of the demonstration tenant: an Admin archives the calendar of a person who is no user.

Another Admin approves it. The person is told by mail, which the report shows from their own inbox.
"""

from typing import Any

from infra.local import identities
from infra.local.api import Api
from infra.local.stack import Stack

#: Who asks, an Admin, and who is read.
READER = "rita.lang@example.com"
READ = "clara.novak@example.com"
_ARCHIVE = "Clara Novak"
_MEETING = {
    "subject": "Handover",
    "start": {"dateTime": "2026-01-12T09:00:00", "timeZone": "UTC"},
    "end": {"dateTime": "2026-01-12T10:00:00", "timeZone": "UTC"},
}


async def ask(stack: Stack, admin: Api) -> None:
    """Make the mailboxes, the archive over one of them, and its approval, where they are not there yet."""
    there = {entry["address"].casefold() for entry in (await stack.simulator("GET", "mailboxes"))["value"]}
    for address, name, events in (
        (READER, "Rita Lang", []),
        (READ, "Clara Novak", [_MEETING]),
        (identities.MAIL_SENDER, "Admin Assistant", []),
    ):
        if address not in there:
            calendar = {"name": "Calendar", "is_default": True, "events": events}
            oid = identities.object_id(address)
            mailbox = {"address": address, "oid": oid, "display_name": name, "calendars": [calendar]}
            await stack.simulator("POST", "mailboxes", [mailbox])
    if await _approval(admin) is not None:
        return
    users = {user["address"]: user["id"] async for user in admin.items("users")}
    if READER not in users:
        users[READER] = (await admin.request("POST", "users", {"address": READER})).json()["id"]
    boss = Api(stack.client, stack.api, await stack.token(READER))
    wish = {
        "user_id": users[READER],
        "name": _ARCHIVE,
        "source": f"msgraph://{READ}/calendar",
        "archive": f"msgraph://{READER}/calendars/{_ARCHIVE.replace(' ', '%20')}",
        "create_archive_calendar": True,
        "time_zone": "UTC",
        "archive_from": "2026-01-01",
        "schedule": {"kind": "manual"},
    }
    await boss.request("POST", "archive-configurations", wish)
    asked = await _approval(admin)
    if asked is not None:
        await admin.request("POST", f"mailbox-approvals/{asked['id']}/approve")


async def found(stack: Stack, admin: Api) -> dict[str, Any]:
    """How the approval stands, and what the person read has in their inbox."""
    approval = await _approval(admin)
    inbox = (await stack.simulator("GET", f"mailboxes/{READ}/inbox"))["value"]
    return {
        "reader": READER,
        "read": READ,
        "approval": approval["status"] if approval is not None else None,
        "told": [mail["message"]["subject"] for mail in inbox],
    }


def as_text(moment: dict[str, Any]) -> str:
    """One line of the report."""
    told = ", ".join(f"“{subject}”" for subject in moment["told"]) or "nothing yet"
    return (
        f"Another's mailbox: {moment['reader']} archives {moment['read']}, who is no user: "
        f"{moment['approval']}; told by mail: {told}."
    )


async def _approval(admin: Api) -> dict[str, Any] | None:
    """The newest approval of an archive over the person's mailbox."""
    person = identities.object_id(READ)
    reads = [each async for each in admin.items("mailbox-approvals") if each["person_id"] == person]
    return reads[-1] if reads else None
