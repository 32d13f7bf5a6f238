"""Every operation, for people with an archive of another person's mailbox (domain.md 6.5).

Carl archived Ada's calendar while Carl was an Admin. What Carl can access through that archive depends on
Carl's present role and on the approval alone.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.models.users import User
from shared.domain.approvals.mailbox_approval import ApprovalState
from shared.triggers.http.registry import OPERATIONS
from tests.integration.api.caller import Caller
from tests.integration.api.conftest import People, Person
from tests.security.authorisation_world import REQUESTS, World, world
from tests.security.test_authorisation import ask, taken_back
from tests.support.factories import START, Factory, record

__all__ = ["world"]

#: What Ada's private event says, and a normal one of hers.
PRIVATE, NORMAL = "Ada's surgeon", "Ada's steering"


@pytest.fixture
async def carl(api: Caller, people: People, database: Database, world: World) -> World:
    """Carl's archive of Ada's calendar, with a row of each kind, as Carl would request it."""
    oid = api.mailbox("carl@example.com", "Archive", "Team")
    async with database.session() as session:
        make = Factory(session)
        user = await make.user(object_id=oid, address="carl@example.com")
        ada = await session.get_one(User, people.ada.id)
        configuration = await make.configuration(
            user,
            source_mailbox_id=ada.object_id,
            source_person_id=ada.object_id,
            archive_person_id=oid,
            names_another=True,
            given_to_admin=True,
            open_until=datetime.now(UTC) + timedelta(days=30),
        )
        await make.job(configuration)
        await make.approval(configuration, given_to_admin=True)
        events = [await make.archived_event(configuration) for _ in range(2)]
        appointment = await make.appointment(events[0], subject=NORMAL, start_at=START)
        await make.appointment(events[1], subject=PRIVATE, body=PRIVATE, sensitivity="private")
        overlap = await make.overlap_group(*events)
        item = await make.action_item(events[1])
        run = await make.run(configuration, state="cancelled", cancel_requested=True)
        run.finished_at = datetime.now(UTC)
        await make.operation(run, events[1], state="failed", record=record(sensitivity="private"))
        verified = await make.verification(configuration)
        missing = await make.finding(verified, events[0])
        adopted = await make.finding(
            verified, events[1], kind="edited", reason="content_differs", state="adopted"
        )
        await make.backfill(configuration)
        diary = await make.local_calendar(user, name="Diary")
        source = f'{{"configuration":"{configuration.id}","source":"x"}}'
        copy = await make.local_event(
            diary, subject=PRIVATE, sensitivity="private", archive_key="k", archive_source=source
        )
        things = world.things | {
            "verification": verified.id,
            "missing": missing.id,
            "adopted": adopted.id,
            "local_calendar": diary.id,
            "local_event": copy.id,
            "foreign": configuration.id,
            "action_item": item.id,
        }
        person = Person(user.id, oid, user.address, api.person(oid))
        ids = configuration.id, run.id, appointment.id, overlap.id
    return replace(
        world,
        ada=person,
        configuration=ids[0],
        run=ids[1],
        appointment=ids[2],
        overlap=ids[3],
        things=things,
    )


#: Whatever else is asked of the archive itself must be as if it were not there, or be refused.
REACHES_IN = [
    "get_appointment",
    "update_appointment",
    "get_overlap",
    "resolve_overlap",
    "get_action_item",
    "answer_action_item",
    "preview_archive_run",
    "start_archive_run",
    "list_archive_runs",
    "get_archive_run",
    "retry_archive_run",
    "list_archive_operations",
    "start_backfill",
    "resume_backfill",
    "start_verification",
    "list_verifications",
    "get_verification",
    "list_verification_findings",
    "put_back_finding",
    "adopt_finding",
]
WHOLE: dict[str, Any] = {"window_start": "2026-01-01T00:00:00Z", "window_end": "2026-06-01T00:00:00Z"}


async def answers(api: Caller, database: Database, carl: World, token: str) -> dict[str, tuple[int, str]]:
    """What every operation answers, each from the same state."""
    found = {}
    for name, wish in REQUESTS.items():
        async with taken_back(database):
            response = await ask(api, name, wish(carl), token)
        found[name] = response.status, response.body.decode(errors="replace")
    return found


async def test_an_admin_with_one_never_reads_a_private_event_through_it(
    api: Caller, database: Database, carl: World
) -> None:
    found = await answers(api, database, carl, api.person(carl.ada.oid, "Admin"))
    assert not [name for name, (_, text) in found.items() if PRIVATE in text]
    assert not [name for name, (status, _) in found.items() if status == HTTPStatus.INTERNAL_SERVER_ERROR]
    assert NORMAL in found["get_appointment"][1]
    assert found["start_archive_run"][0] == HTTPStatus.ACCEPTED


@pytest.mark.parametrize("roles", [("User",), ("Auditor",), ("User", "Auditor")])
async def test_after_losing_the_role_nothing_of_it_is_reached(
    api: Caller, people: People, database: Database, carl: World, roles: tuple[str, ...]
) -> None:
    # Carl was seen as an Admin. The first request without the role ends the access.
    await api("GET", "v1/me", token=api.person(carl.ada.oid, "Admin"))
    token = api.person(carl.ada.oid, *roles)
    listed = await api("GET", "v1/appointments", token=token, **WHOLE)
    assert listed.json["items"] == []
    found = await answers(api, database, carl, token)
    leaks = [name for name, (_, text) in found.items() if PRIVATE in text or NORMAL in text]
    assert not leaks
    reached = {name: found[name] for name in REACHES_IN if found[name][0] < HTTPStatus.BAD_REQUEST}
    assert not reached
    async with database.session() as session:
        approvals = (await session.execute(_of(carl))).scalars().all()
    assert [each.state for each in approvals] == [ApprovalState.LAPSED]


@pytest.mark.parametrize("why", ["withdrawn", "ended", "objected"])
async def test_without_an_approval_that_holds_an_admin_reaches_nothing_of_it(
    api: Caller, database: Database, carl: World, why: str
) -> None:
    token = api.person(carl.ada.oid, "Admin")
    async with database.session() as session:
        (approval,) = (await session.execute(_of(carl))).scalars().all()
        approval.state = why
        configuration = await session.get_one(ArchiveConfiguration, carl.configuration)
        configuration.open_until = datetime.now(UTC)
    found = await answers(api, database, carl, token)
    assert not [name for name, (_, text) in found.items() if PRIVATE in text or NORMAL in text]
    reached = {name: found[name] for name in REACHES_IN if found[name][0] < HTTPStatus.BAD_REQUEST}
    assert not reached


async def test_another_admin_sees_of_it_what_is_normal_alone(
    api: Caller, people: People, database: Database, carl: World
) -> None:
    found = await answers(api, database, carl, people.admin)
    assert not [name for name, (_, text) in found.items() if PRIVATE in text]
    async with database.session() as session:
        events = await session.get_one(ArchivedEvent, (await _event(database, carl)))
    assert events.origin_mailbox_id == people.ada.oid


def _of(carl: World) -> Any:
    return select(MailboxApproval).where(MailboxApproval.configuration_id == carl.configuration)


async def _event(database: Database, carl: World) -> Any:
    async with database.session() as session:
        rows = select(ArchivedEvent.id).where(ArchivedEvent.configuration_id == carl.configuration)
        return (await session.execute(rows)).scalars().first()


def test_what_is_asked_of_an_archive_is_listed() -> None:
    assert set(REACHES_IN) <= OPERATIONS.keys()
