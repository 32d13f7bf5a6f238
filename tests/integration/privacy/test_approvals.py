"""Archiving another's mailbox needs the approval of an Admin who gains nothing by it (domain.md 6.5)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from shared.database.engine import Database
from shared.database.models.appointments import Appointment
from shared.database.models.audit import AuditEntry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import AdminSighting, MailboxApproval
from shared.database.models.runs import ArchiveOperation
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People, Person
from tests.integration.api.test_archive_configurations import create
from tests.integration.privacy.conftest import RANGE, WINDOW, Drive, Enter, archive

SECRET = "Surgeon"


@pytest.fixture
def boss(api: Caller, people: People) -> str:
    """Bob's token with the role Admin."""
    return api.person(people.bob.oid, "Admin")


@pytest.fixture
async def over_ada(api: Caller, people: People, boss: str, enter: Enter) -> str:
    """Bob, an Admin, makes an archive of Ada's calendar in Bob's own mailbox."""
    enter(people.ada, "Steering", 2, categories=["Acme - billable"])
    enter(people.ada, SECRET, 3, sensitivity="private", location={"displayName": SECRET}, categories=[SECRET])
    made = await create(
        api, people.bob, token=boss, time_zone="UTC", source=f"msgraph://{people.ada.address}/calendar"
    )
    assert made.status == 201, made.json
    return str(made.json["id"])


async def approval_of(api: Caller, people: People, configuration: str) -> dict[str, Any]:
    listed = await api("GET", "v1/mailbox-approvals", token=people.auditor)
    return next(each for each in listed.json["items"] if each["configuration_id"] == configuration)


async def say(api: Caller, what: str, approval: str, token: str, **body: Any) -> Any:
    return await api("POST", f"v1/mailbox-approvals/{approval}/{what}", body or None, token=token)


async def approve(api: Caller, people: People, configuration: str) -> str:
    approval = (await approval_of(api, people, configuration))["id"]
    given = await say(api, "approve", approval, people.admin)
    assert given.status == 200, given.json
    return str(approval)


async def start(api: Caller, configuration: str, token: str) -> Any:
    return await api("POST", f"v1/archive-configurations/{configuration}/runs", WINDOW, token=token)


async def seen(api: Caller, person: Person, token: str) -> list[str]:
    listed = await api("GET", "v1/appointments", token=token, user_id=str(person.id), **RANGE)
    assert listed.status == 200, listed.json
    return sorted(each["subject"] for each in listed.json["items"])


async def test_nothing_runs_until_an_admin_who_gains_nothing_approved_it(
    api: Caller, people: People, boss: str, over_ada: str, drive: Drive
) -> None:
    problem(await start(api, over_ada, boss), 409, "mailbox_not_permitted")
    plan = f"v1/archive-configurations/{over_ada}/plan"
    problem(await api("GET", plan, token=boss, **WINDOW), 409, "mailbox_not_permitted")
    asked = await approval_of(api, people, over_ada)
    assert (asked["status"], asked["days"], asked["person_id"]) == ("requested", 90, str(people.ada.oid))
    problem(await say(api, "approve", asked["id"], boss), 403, "own_approval")
    given = (await say(api, "approve", asked["id"], people.admin)).json
    assert given["status"] == "approved"
    assert datetime.fromisoformat(given["expires_at"]) > datetime.now(UTC) + timedelta(days=89)
    await archive(api, over_ada, boss, drive)
    assert await seen(api, people.bob, boss) == ["Private", "Steering"]


async def test_private_events_are_masked_when_they_are_read(
    api: Caller, people: People, boss: str, over_ada: str, drive: Drive, database: Database
) -> None:
    await approve(api, people, over_ada)
    await archive(api, over_ada, boss, drive)
    async with database.session() as session:
        rows = list((await session.execute(select(Appointment))).scalars())
        operations = list((await session.execute(select(ArchiveOperation))).scalars())
        audit = list((await session.execute(select(AuditEntry))).scalars())
    held = {row.subject: row for row in rows}
    assert set(held) == {"Steering", "Private"}
    private = held["Private"]
    assert (private.body, private.location, private.categories, private.attendees) == ("", "", [], [])
    assert private.origin_mailbox_id == people.ada.oid
    assert SECRET not in str([(o.record, o.payload) for o in operations])
    mailbox = api.simulator.state.find_mailbox(str(people.bob.oid))
    assert mailbox is not None
    copies = [str(event.fields) for each in mailbox.calendars.values() for event in each.events.values()]
    assert len(copies) == 2
    assert not [copy for copy in copies if SECRET in copy]
    # What happens through it is audited on behalf of the person read.
    runs = [entry for entry in audit if entry.action.startswith("archive_run.")]
    assert runs
    assert {entry.on_behalf_of for entry in runs} == {people.ada.id}


async def test_the_person_may_agree_to_more_than_the_times_and_take_it_back(
    api: Caller, people: People, boss: str, over_ada: str, drive: Drive, database: Database, enter: Enter
) -> None:
    approval = await approve(api, people, over_ada)
    agreed = await say(api, "agree", approval, people.ada.token, details=True)
    assert agreed.json["details_agreed_at"] is not None
    await archive(api, over_ada, boss, drive)
    assert await seen(api, people.bob, boss) == ["Steering", SECRET]
    # Whole in the plan and the run, too, and for nobody else.
    plan = f"v1/archive-configurations/{over_ada}/plan"
    enter(people.ada, "Surgeon again", 4, sensitivity="private")
    mine = (await api("GET", plan, token=boss, **WINDOW)).json
    assert "Surgeon again" in {event["subject"] for event in mine["events"]}
    as_admin = (await api("GET", plan, token=people.admin, **WINDOW)).json
    assert "Surgeon" not in str(as_admin)
    run = await archive(api, over_ada, boss, drive)
    operations = f"v1/archive-runs/{run}/operations"
    shown = [(await api("GET", operations, token=token)).json["items"] for token in (boss, people.admin)]
    assert [len(each) for each in shown] == [1, 0]
    report = (await api("GET", f"v1/archive-runs/{run}", token=boss)).json["report"]
    assert (report["archived"], report["private"]) == (1, None)
    # To every other Admin it is still Ada's private event.
    assert await seen(api, people.bob, people.admin) == ["Private", "Private", "Steering"]
    await say(api, "agree", approval, people.ada.token, details=False)
    assert await seen(api, people.bob, boss) == ["Private", "Private", "Steering"]
    async with database.session() as session:
        rows = list((await session.execute(select(Appointment))).scalars())
    assert {row.subject for row in rows} == {"Private", "Steering"}


async def test_the_person_read_is_told_sees_it_and_stops_it(
    api: Caller, people: People, boss: str, over_ada: str, drive: Drive
) -> None:
    told = (await api("GET", "v1/notifications", token=people.ada.token)).json["items"]
    assert [each["kind"] for each in told] == ["mailbox_read"]
    approval = await approve(api, people, over_ada)
    await archive(api, over_ada, boss, drive)
    (mine,) = (await api("GET", "v1/me", token=people.ada.token)).json["mailbox"]["read_by"]
    assert (mine["id"], mine["status"]) == (approval, "approved")
    problem(await say(api, "object", approval, boss), 403, "person_read_needed")
    assert (await say(api, "object", approval, people.ada.token)).json["status"] == "objected"
    problem(await start(api, over_ada, boss), 409, "mailbox_not_permitted")
    assert await seen(api, people.bob, boss) == []
    verdict = {"reason": "the case needs it", "goes_on": True}
    problem(await say(api, "objection/decide", approval, people.admin, **verdict), 403, "own_decision")
    other = api.token("Admin", oid="aaaaaaaa-0000-4000-8000-000000000009")
    decided = await say(api, "objection/decide", approval, other, **verdict)
    assert decided.json["status"] == "approved"
    texts = [
        each["text"] for each in (await api("GET", "v1/notifications", token=people.ada.token)).json["items"]
    ]
    assert any("the case needs it" in text for text in texts)
    assert await seen(api, people.bob, boss) == ["Private", "Steering"]


async def test_it_lapses_with_the_role(
    api: Caller, people: People, boss: str, over_ada: str, drive: Drive
) -> None:
    await approve(api, people, over_ada)
    await archive(api, over_ada, boss, drive)
    # Without the role, Bob gets nothing of hers any more, with any first request.
    assert (await api("GET", "v1/appointments", token=people.bob.token, **RANGE)).json["items"] == []
    problem(await start(api, over_ada, people.bob.token), 403, "admin_needed")
    assert (await approval_of(api, people, over_ada))["status"] == "lapsed"
    # Nor when the role is back.
    problem(await start(api, over_ada, boss), 409, "mailbox_not_permitted")
    assert await seen(api, people.bob, boss) == []


async def test_it_lapses_when_its_owner_was_not_seen_as_an_admin_for_30_days(
    api: Caller, people: People, over_ada: str, database: Database
) -> None:
    await approve(api, people, over_ada)
    await api.app.people.approval_watch.run()
    assert (await approval_of(api, people, over_ada))["status"] == "approved"
    async with database.session() as session:
        long_ago = datetime.now(UTC) - timedelta(days=31)
        bob = AdminSighting.object_id == people.bob.oid
        await session.execute(update(AdminSighting).where(bob).values(seen_at=long_ago))
    await api.app.people.approval_watch.run()
    assert (await approval_of(api, people, over_ada))["status"] == "lapsed"


async def test_after_its_end_nothing_runs_and_its_rows_are_closed(
    api: Caller, people: People, boss: str, over_ada: str, drive: Drive, database: Database
) -> None:
    await approve(api, people, over_ada)
    run = await archive(api, over_ada, boss, drive)
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with database.session() as session:
        one = ArchiveConfiguration.id == UUID(over_ada)
        await session.execute(update(ArchiveConfiguration).where(one).values(open_until=past))
        await session.execute(update(MailboxApproval).values(ends_at=past))
    # Closed to the minute, before any timer looks.
    assert await seen(api, people.bob, boss) == []
    ids = {"user_id": str(people.bob.id), **RANGE}
    statistics = (await api("GET", "v1/categories/statistics", token=boss, **ids)).json
    assert (statistics["total"]["count"], statistics["private"]["count"]) == (0, 0)
    assert (await api("GET", "v1/categories/validation", token=boss, **ids)).json["items"] == []
    problem(await api("POST", f"v1/archive-runs/{run}/retry", token=boss), 409)
    for what in ("runs", "verifications"):
        refused = await api("POST", f"v1/archive-configurations/{over_ada}/{what}", WINDOW, token=boss)
        problem(refused, 409, "mailbox_not_permitted")
    await api.app.people.approval_watch.run()
    assert (await approval_of(api, people, over_ada))["status"] == "ended"
    # A renewal needs another Admin's word again, and Ada is told.
    asked = await api("POST", f"v1/archive-configurations/{over_ada}/approval", {"days": 30}, token=boss)
    assert asked.json["status"] == "requested"
    problem(await say(api, "approve", asked.json["id"], boss), 403, "own_approval")
    await say(api, "approve", asked.json["id"], people.admin)
    assert await seen(api, people.bob, boss) == ["Private", "Steering"]


async def test_where_there_is_no_other_admin_it_starts_after_seven_days_unless_the_person_objects(
    api: Caller, people: People, boss: str, enter: Enter, database: Database
) -> None:
    await api("GET", "v1/me", token=boss)
    async with database.session() as session:
        await session.execute(delete(AdminSighting).where(AdminSighting.object_id != people.bob.oid))
    made = await create(
        api, people.bob, token=boss, time_zone="UTC", source=f"msgraph://{people.ada.address}/calendar"
    )
    (asked,) = (await api("GET", "v1/me", token=people.ada.token)).json["mailbox"]["read_by"]
    starts = datetime.fromisoformat(asked["starts_at"])
    assert timedelta(days=6) < starts - datetime.now(UTC) <= timedelta(days=7)
    async with database.session() as session:
        await session.execute(update(MailboxApproval).values(starts_at=datetime.now(UTC)))
    await api.app.people.approval_watch.run()
    assert (await approval_of_own(api, boss))["status"] == "approved"
    assert made.status == 201


async def approval_of_own(api: Caller, token: str) -> dict[str, Any]:
    return (await api("GET", "v1/mailbox-approvals", token=token)).json["items"][0]  # type: ignore[no-any-return]


async def test_the_person_may_agree_themself_where_there_is_no_other_admin(
    api: Caller, people: People, boss: str, database: Database
) -> None:
    await api("GET", "v1/me", token=boss)
    async with database.session() as session:
        await session.execute(delete(AdminSighting).where(AdminSighting.object_id != people.bob.oid))
    await create(
        api, people.bob, token=boss, time_zone="UTC", source=f"msgraph://{people.ada.address}/calendar"
    )
    (asked,) = (await api("GET", "v1/me", token=people.ada.token)).json["mailbox"]["read_by"]
    assert (await say(api, "agree", asked["id"], people.ada.token)).json["status"] == "approved"


async def test_an_assistant_acts_for_the_person_read(api: Caller, people: People, over_ada: str) -> None:
    approval = (await approval_of(api, people, over_ada))["id"]
    helper = "bbbbbbbb-0000-4000-8000-000000000001"
    token = api.person(UUID(helper))
    problem(await say(api, "object", approval, token), 404)
    named = await api("PUT", "v1/me/assistant", {"assistant_id": helper}, token=people.ada.token)
    assert named.json["assistant_id"] == helper
    assert (await say(api, "object", approval, token)).status == 200
    problem(await say(api, "approve", approval, people.admin), 422)
    given = await say(api, "approve", approval, people.admin, reason="a court order")
    assert given.json["status"] == "approved"


async def test_a_calendar_that_is_shared_into_a_mailbox_is_its_owners(api: Caller, people: People) -> None:
    mailbox = api.simulator.state.find_mailbox(str(people.bob.oid))
    assert mailbox is not None
    shared = next(each for each in mailbox.calendars.values() if each.name == "Team")
    shared.owner_address = people.ada.address
    made = await create(
        api,
        people.bob,
        token=people.bob.token,
        source=f"msgraph://{people.bob.address}/calendars/Team",
    )
    asked = await approval_of(api, people, made.json["id"])
    assert (asked["person_id"], asked["status"]) == (str(people.ada.oid), "requested")
    problem(await start(api, made.json["id"], people.bob.token), 403, "admin_needed")


async def test_an_archive_in_anothers_mailbox_needs_an_approval_too(
    api: Caller, people: People, boss: str
) -> None:
    made = await create(
        api, people.ada, token=boss, archive=f"msgraph://{people.bob.address}/calendars/Archive"
    )
    asked = await approval_of(api, people, made.json["id"])
    assert (asked["person_id"], asked["archive_person_id"]) == (str(people.ada.oid), str(people.bob.oid))
    # Bob does not own it, but the copies are in Bob's mailbox.
    problem(await say(api, "approve", asked["id"], boss), 403, "own_approval")


async def test_a_deleted_archive_takes_its_approval_with_it(
    api: Caller, people: People, boss: str, over_ada: str, drive: Drive
) -> None:
    await approve(api, people, over_ada)
    await archive(api, over_ada, boss, drive)
    path = f"v1/archive-configurations/{over_ada}"
    gone = await api("DELETE", path, token=boss, headers={"if-match": "*"})
    assert gone.status == 204, gone.json
    assert (await approval_of(api, people, over_ada))["status"] == "ended"
    assert await seen(api, people.bob, boss) == []


@pytest.mark.parametrize("purpose", ["shared", "user"])
async def test_a_shared_mailbox_that_another_admin_gave_is_its_recipients_own(
    api: Caller, people: People, boss: str, purpose: str
) -> None:
    oid = api.mailbox("office@example.com")
    mailbox = api.simulator.state.find_mailbox(str(oid))
    assert mailbox is not None
    mailbox.purpose = purpose
    source = "msgraph://office@example.com/calendar"
    given = await create(api, people.bob, token=people.admin, source=source)
    listed = (await api("GET", "v1/mailbox-approvals", token=people.auditor)).json["items"]
    needs = [each["configuration_id"] for each in listed]
    assert (given.json["id"] in needs) == (purpose != "shared")
    # Nobody gives it to themself.
    taken = await create(
        api,
        people.bob,
        token=boss,
        name="Taken",
        source=source,
        archive=f"msgraph://{people.bob.address}/calendars/Team",
    )
    assert (await approval_of(api, people, taken.json["id"]))["status"] == "requested"


async def test_archives_made_before_learn_whose_their_calendars_are(
    api: Caller, people: People, database: Database
) -> None:
    mailbox = api.simulator.state.find_mailbox(str(people.bob.oid))
    assert mailbox is not None
    made = (await create(api, people.bob, source=f"msgraph://{people.bob.address}/calendars/Team")).json
    gone = (await create(api, people.ada, source=f"msgraph://{people.ada.address}/calendars/Team")).json
    async with database.session() as session:
        forgotten = {"source_person_id": None, "archive_person_id": None, "persons_known_at": None}
        await session.execute(update(ArchiveConfiguration).values(**forgotten))
        lost = ArchiveConfiguration.id == UUID(gone["id"])
        await session.execute(update(ArchiveConfiguration).where(lost).values(source_mailbox_id=UUID(int=7)))
    next(
        each for each in mailbox.calendars.values() if each.name == "Team"
    ).owner_address = people.ada.address
    await api.app.people.approval_watch.run()
    asked = await approval_of(api, people, made["id"])
    assert (asked["status"], asked["person_id"]) == ("requested", str(people.ada.oid))
    problem(await start(api, made["id"], api.person(people.bob.oid, "Admin")), 409, "mailbox_not_permitted")
    async with database.session() as session:
        rows = list((await session.execute(select(ArchiveConfiguration))).scalars())
    assert all(row.persons_known_at is not None for row in rows)
