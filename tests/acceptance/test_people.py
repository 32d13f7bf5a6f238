"""People who come and people who leave: each point through the running system."""

import io
import json
import zipfile

import pytest

from infra.local import identities
from infra.local.api import Api
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.security.test_erasure import dump, state
from tests.support.person import Person, at, meeting, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEGIN = "BEGIN:VEVENT"


async def test_people_are_added_in_bulk(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A group with a group in it: the dry run says what becomes of each member, adding does just that."""
    addresses = [f"bulk{number}@example.com" for number in range(3)]
    mailboxes = [{"address": address} for address in addresses]
    guest = {"address": "guest@elsewhere.example.com", "user_type": "Guest"}
    await stack.simulator("POST", "mailboxes", [*mailboxes, guest])
    groups = [
        {"name": "Inner", "members": addresses[1:]},
        {"name": "Everybody", "members": [addresses[0], guest["address"], "Inner"]},
    ]
    _, everybody = (await stack.simulator("POST", "groups", groups))["groups"]
    admin = Api(stack.client, stack.api, await stack.token())
    wish = {"group_id": everybody["id"]}
    dry = (await admin.request("POST", "users/bulk", wish | {"dry_run": True})).json()["outcomes"]
    none = [user async for user in admin.items("users") if user["address"] in addresses]
    real = (await admin.request("POST", "users/bulk", wish)).json()["outcomes"]
    again = (await admin.request("POST", "users/bulk", wish)).json()["outcomes"]
    users = [user async for user in admin.items("users") if user["address"] in addresses]
    acceptance_point(
        measured=f"{dry}, {len(none)} then {len(users)} users, again {again}",
        bound="would_add 3 and guest 1, 0 then 3 users, again exists 3",
    )
    assert (dry, none) == ({"would_add": 3, "guest": 1}, [])
    assert real == {"added": 3, "guest": 1}
    assert again == {"exists": 3, "guest": 1}
    assert len(users) == 3


async def test_first_sign_in_by_invitation(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Where the policy says so, who was invited becomes a user by signing in, and nobody else does."""
    strangers = ("invited@example.com", "stranger@example.com")
    for address in strangers:
        mailbox = {"address": address, "oid": identities.object_id(address)}
        await stack.simulator("POST", "mailboxes", [mailbox])
    admin = Api(stack.client, stack.api, await stack.token())
    before = [await signs_in(stack, address) for address in strangers]
    await admin.request("PATCH", "system/settings", {"first_sign_in": "invitation"}, if_match="*")
    await admin.request("POST", "invitations", {"address": strangers[0]})
    after = [await signs_in(stack, address) for address in strangers]
    await admin.request("PATCH", "system/settings", {"first_sign_in": None}, if_match="*")
    acceptance_point(measured=f"{before}, then {after}", bound="[403, 403], then [200, 403]")
    assert (before, after) == ([403, 403], [200, 403])


async def test_offboarding_stops_the_work_and_keeps_the_archive(
    stack: Stack, acceptance_point: AcceptancePoint
) -> None:
    """A person who leaves is refused at once, their jobs pause, open overlaps are archived, and their archive
    stays.
    """
    both = [meeting("Workshop", at(9), 120), meeting("Call", at(10))]
    person = await Person.join(stack, "leaver", both)
    archived = await person.configure(overlap_policy="flag", schedule={"kind": "daily", "at": "02:00"})
    report = await person.archive(archived)
    done = (await person.api.request("POST", f"users/{person.user_id}/offboard")).json()
    refused = await signs_in(stack, person.address)
    await person.fire("dispatch")

    async def archived_whole() -> bool:
        return await person.subjects() == ["Call", "Workshop"]

    await until(archived_whole, 60)
    configuration = await person.get(archived.path)
    acceptance_point(
        measured=f"{report['flagged']} flagged, {done['overlaps_expiring']} expiring, "
        f"{done['jobs_paused']} jobs paused, then {refused}",
        bound="2 flagged, 1 expiring, at least 1 job paused, then 403",
    )
    assert (report["flagged"], done["overlaps_expiring"], refused) == (2, 1, 403)
    assert done["jobs_paused"] >= 1
    assert configuration["next_run_at"] is None


async def test_an_export_holds_everything(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """People get everything that is stored about them in one file, in parts: tables as JSON Lines, a
    calendar.
    """
    events = [meeting(f"Meeting {number}", at(9, number)) for number in range(6)]
    person = await Person.join(stack, "exported", events)
    await person.archive(await person.configure())
    own = await person.own_api()
    asked = await own.request("POST", f"users/{person.user_id}/exports")
    export = await person.over(asked.headers["Location"])
    whole, offset = b"", "0"
    while offset:
        part = await own.request("GET", f"user-exports/{export['id']}/content", offset=offset)
        whole, offset = whole + part.content, part.headers.get("X-Next-Offset", "")
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        rows = [json.loads(line) for line in file.read("appointments.jsonl").splitlines()]
        calendars = [name for name in file.namelist() if name.endswith(".ics")]
        found = sum(file.read(name).decode().count(BEGIN) for name in calendars)
    acceptance_point(
        measured=f"{export['status']}, {len(rows)} appointments, {found} in {calendars}",
        bound=f"ready, {len(events)} appointments, {len(events)} in a calendar",
    )
    assert export["status"] == "ready"
    assert len(whole) == export["size_bytes"]
    assert sorted(row["subject"] for row in rows) == [f"Meeting {number}" for number in range(6)]
    assert found == len(events)


async def test_erasure_leaves_no_trace(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """After a second Admin's word nothing in database, storage, host state or logs tells of the person."""
    secrets = ("wilhelmina.grubenthal", "Anamnesis interview", "Sternwarte Urania")
    events = [meeting(secrets[1], at(9)), meeting(secrets[1], at(11), location={"displayName": secrets[2]})]
    person = await Person.join(stack, secrets[0], events)
    archived = await person.configure(overlap_policy="flag")
    await person.archive(archived)
    await person.over(await person.post(f"users/{person.user_id}/exports"))
    before = await traces(stack, secrets)
    erasure = (await person.api.request("POST", f"users/{person.user_id}/erasures")).json()
    path = f"user-erasures/{erasure['id']}"
    alone = await person.api.request("POST", f"{path}/confirm", accept=(409,))
    second = Api(stack.client, stack.api, await stack.token("second.admin@example.com"))
    await second.request("POST", f"{path}/confirm")
    report = await person.over(path)
    after = await traces(stack, secrets)
    await person.fire("dispatch")
    verified = await person.get("audit/verification")
    acceptance_point(
        measured=f"{len(before)} traces, alone {alone.status_code}, {report['status']}, {len(after)} traces, "
        f"audit intact: {verified['intact']}",
        bound="3 traces, alone 409, completed, 0 traces, audit intact: True",
    )
    assert sorted(before) == sorted(secrets)
    assert alone.json()["code"] == "second_admin_needed"
    assert (report["status"], report["report"]["rows"]["appointments"]) == ("completed", 2)
    assert after == []
    assert verified["intact"], verified


async def traces(stack: Stack, secrets: tuple[str, ...]) -> list[str]:
    """Which of these are in a dump of the database or in any file of the system (not the simulator's)."""
    everything = (await dump(stack) + state(stack)).casefold()
    return [secret for secret in secrets if secret.casefold() in everything]


async def signs_in(stack: Stack, address: str) -> int:
    """The answer to a person who asks who they are."""
    own = Api(stack.client, stack.api, await stack.token(address, ("User",)))
    return (await own.request("GET", "me", accept=(403,))).status_code
