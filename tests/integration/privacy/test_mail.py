"""A person who is read and is no user here is told by mail (domain.md 6.5, 10.1)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.mail_outbox import OutgoingMail
from shared.database.models.mailbox_approvals import AdminSighting, MailboxApproval
from shared.services.notifications.mail_senders import MailSenders
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import SENDER, People
from tests.integration.api.test_archive_configurations import create
from tests.support.settings import make_settings

CLARA = "clara@example.com"
SECRET = "Surgeon"
POST = {"method": "POST", "path_regex": "sendMail"}


@pytest.fixture
def clara(api: Caller) -> UUID:
    """A person of the directory who is no user here; returns her object id."""
    api.mailbox(SENDER)
    return api.mailbox(CLARA)


@pytest.fixture
async def asked(api: Caller, people: People, clara: UUID) -> str:
    """Bob, an Admin, makes an archive of Clara's calendar; returns the id of the request."""
    return await ask(api, people)


async def ask(api: Caller, people: People) -> str:
    boss = api.person(people.bob.oid, "Admin")
    made = await create(api, people.bob, token=boss, source=f"msgraph://{CLARA}/calendar")
    assert made.status == 201, made.json
    listed = await api("GET", "v1/mailbox-approvals", token=people.auditor)
    return str(listed.json["items"][0]["id"])


def sent(api: Caller) -> list[dict[str, Any]]:
    """What the system's mailbox sent."""
    mailbox = api.simulator.state.find_mailbox(SENDER)
    assert mailbox is not None
    return [each["message"] for each in mailbox.sent]


async def due_now(database: Database) -> None:
    async with database.session() as session:
        await session.execute(update(OutgoingMail).values(next_attempt_at=datetime.now(UTC)))


async def rows(database: Database) -> list[OutgoingMail]:
    async with database.session() as session:
        statement = select(OutgoingMail).order_by(OutgoingMail.created_at)
        return list((await session.execute(statement)).scalars())


async def say(api: Caller, what: str, approval: str, token: str, **body: Any) -> Any:
    return await api("POST", f"v1/mailbox-approvals/{approval}/{what}", body or None, token=token)


async def mail_health(api: Caller, people: People) -> dict[str, Any]:
    api.app.operation.system_health._kept.clear()
    report = (await api("GET", "v1/system/health", token=people.admin)).json
    return next(each for each in report["components"] if each["name"] == "mail")


async def test_they_are_told_at_once_and_at_the_decision_and_how_to_object(
    api: Caller, people: People, clara: UUID, asked: str, database: Database
) -> None:
    await api.app.review.mail_sending.send_due()
    await api.app.review.mail_sending.send_due()
    (mail,) = sent(api)
    assert mail["toRecipients"] == [{"emailAddress": {"address": CLARA}}]
    assert mail["body"]["contentType"] == "text"
    text = mail["body"]["content"]
    assert "for 90 days. An Admin decides; you may object." in text
    assert f"v1/mailbox-approvals/{asked}/object" in text
    await say(api, "approve", asked, people.admin)
    await api.app.review.mail_sending.send_due()
    assert [each["subject"] for each in sent(api)] == [
        "Somebody wants to archive your calendar",
        "Your calendar is archived",
    ]
    inbox = api.simulator.state.mailboxes[str(clara)].inbox
    assert [each["from"] for each in inbox] == [SENDER] * 2
    # The texts are kept no longer than they are needed; that they were sent is audited for her.
    assert {row.body for row in await rows(database)} == {""}
    async with database.session() as session:
        told = (
            await session.execute(select(AuditEntry.on_behalf_of).where(AuditEntry.action == "mail.sent"))
        ).all()
    assert [each[0] for each in told] == [clara] * 2


async def test_she_signs_in_without_being_a_user_sees_it_and_objects(
    api: Caller, people: People, clara: UUID, asked: str
) -> None:
    await say(api, "approve", asked, people.admin)
    token = api.person(clara)
    me = await api("GET", "v1/me", token=token)
    assert (me.status, me.json["user"]) == (200, None)
    assert [each["id"] for each in me.json["mailbox"]["read_by"]] == [asked]
    assert (await say(api, "object", asked, token)).json["status"] == "objected"
    decided = await say(
        api, "objection/decide", asked, api.token("Admin"), goes_on=False, reason="Right you are"
    )
    assert decided.status == 200, decided.json
    await api.app.review.mail_sending.send_due()
    last = sent(api)[-1]["body"]["content"]
    assert "has ended. Reason: Right you are" in last
    # Whose mailbox nobody asks about is no user and no more.
    api.mailbox("dora@example.com")
    dora = api.simulator.state.find_mailbox("dora@example.com")
    assert dora is not None
    problem(await api("GET", "v1/me", token=api.person(UUID(dora.oid))), 403)


@pytest.mark.parametrize("kind", ["lost_answer", "drop_after"])
async def test_a_lost_answer_does_not_send_it_twice(
    api: Caller, asked: str, database: Database, kind: str
) -> None:
    api.simulator.faults.add({"kind": kind, "match": POST, "times": 1})
    await api.app.review.mail_sending.send_due()
    (waiting,) = await rows(database)
    assert (waiting.state, waiting.uncertain, len(sent(api))) == ("waiting", True, 1)
    assert waiting.next_attempt_at > datetime.now(UTC) + timedelta(seconds=50)
    await due_now(database)
    await api.app.review.mail_sending.send_due()
    (row,) = await rows(database)
    assert (row.state, row.attempts, len(sent(api))) == ("sent", 2, 1)


async def test_a_sender_that_died_in_the_middle_does_not_send_it_twice(
    api: Caller, asked: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def died(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(api.app.review.mail_sending, "_sent", died)
        with pytest.raises(asyncio.CancelledError):
            await api.app.review.mail_sending.send_due()
    # Nobody takes it while the first one may still be at it.
    await api.app.review.mail_sending.send_due()
    assert [row.state for row in await rows(database)] == ["sending"]
    await due_now(database)
    await api.app.review.mail_sending.send_due()
    assert [row.state for row in await rows(database)] == ["sent"]
    assert len(sent(api)) == 1


async def test_two_instances_send_it_once(api: Caller, asked: str) -> None:
    await asyncio.gather(*(api.app.review.mail_sending.send_due() for _ in range(4)))
    assert len(sent(api)) == 1


async def test_throttled_it_waits_as_long_as_graph_says(api: Caller, asked: str, database: Database) -> None:
    api.simulator.faults.add(
        {"kind": "status", "status": 429, "retry_after": 1200, "match": POST, "times": 1}
    )
    await api.app.review.mail_sending.send_due()
    (row,) = await rows(database)
    assert (row.state, row.uncertain, sent(api)) == ("waiting", False, [])
    assert row.next_attempt_at >= row.updated_at + timedelta(seconds=1200)


async def test_what_cannot_be_sent_is_given_up_shown_and_keeps_the_approval_away(
    api: Caller, people: People, asked: str, database: Database
) -> None:
    assert (await mail_health(api, people))["status"] == "healthy"
    api.simulator.faults.add({"kind": "status", "status": 400, "match": POST, "times": 1})
    await api.app.review.mail_sending.send_due()
    (row,) = await rows(database)
    assert (row.state, row.body) == ("dead", "")
    shown = await mail_health(api, people)
    assert (shown["status"], shown["measures"]["dead"]) == ("degraded", 1)
    problem(await say(api, "approve", asked, people.admin), 409, "person_cannot_be_told")


async def test_it_is_given_up_after_its_last_try(api: Caller, asked: str, database: Database) -> None:
    api.simulator.faults.add({"kind": "status", "status": 503, "match": POST, "times": None})
    tries = 0
    while (await rows(database))[0].state == "waiting":
        await due_now(database)
        await api.app.review.mail_sending.send_due()
        tries += 1
        assert tries < 20
    (row,) = await rows(database)
    assert (row.state, row.attempts, sent(api)) == ("dead", 14, [])


async def test_without_a_mailbox_to_send_from_nothing_is_approved_and_the_request_waits(
    api: Caller, people: People, clara: UUID, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = MailSenders(make_settings())
    monkeypatch.setattr(api.app.people.approval_decisions, "_senders", nobody)
    monkeypatch.setattr(api.app.review.mail_sending, "_senders", nobody)
    asked = await ask(api, people)
    await api.app.review.mail_sending.send_due()
    assert [row.state for row in await rows(database)] == ["waiting"]
    problem(await say(api, "approve", asked, people.admin), 409, "person_cannot_be_told")
    # The person of whom it is may agree all the same: they know.
    approval = await api("GET", f"v1/mailbox-approvals/{asked}", token=people.admin)
    assert approval.json["status"] == "requested"


async def test_unopposed_it_starts_seven_days_after_they_were_told(
    api: Caller, people: People, clara: UUID, database: Database
) -> None:
    boss = api.person(people.bob.oid, "Admin")
    await api("GET", "v1/me", token=boss)
    async with database.session() as session:
        others = delete(AdminSighting).where(AdminSighting.object_id != people.bob.oid)
        await session.execute(others)
    made = await create(api, people.bob, token=boss, source=f"msgraph://{CLARA}/calendar")
    assert made.status == 201

    async def after_a_week() -> str:
        async with database.session() as session:
            await session.execute(update(MailboxApproval).values(starts_at=datetime.now(UTC)))
        await api.app.people.approval_watch.run()
        return str((await api("GET", "v1/mailbox-approvals", token=boss)).json["items"][0]["status"])

    # The mail could not be sent for a week: nobody told her yet.
    assert await after_a_week() == "requested"
    await api.app.review.mail_sending.send_due()
    assert await after_a_week() == "requested"
    async with database.session() as session:
        await session.execute(update(OutgoingMail).values(sent_at=datetime.now(UTC) - timedelta(days=7)))
    assert await after_a_week() == "approved"
