"""What others archived from an erased person's mailbox goes with it (domain.md 15.3, 6.5)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.models.users import User
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.people.test_erasure import asked, second
from tests.support.factories import Factory

TABLES = ("archived_events", "appointments", "archive_operations", "overlap_groups", "verification_findings")


async def archive_of_ada(people: People, database: Database, **columns: Any) -> UUID:
    """Bob's archive of Ada's calendar, approved, with something in every table, and a copy kept by us."""
    async with database.session() as session:
        make = Factory(session)
        bob = await session.get_one(User, people.bob.id)
        until = datetime.now(UTC) + timedelta(days=30)
        configuration = await make.configuration(
            bob,
            source_mailbox_id=people.ada.oid,
            source_person_id=people.ada.oid,
            names_another=True,
            open_until=until,
            **columns,
        )
        await make.job(configuration)
        event = await make.archived_event(configuration)
        await make.appointment(event)
        await make.operation(await make.run(configuration, state="completed"), event)
        await make.overlap_group(event, await make.archived_event(configuration))
        await make.finding(await make.verification(configuration), event)
        source = f'{{"configuration":"{configuration.id}","source":"x"}}'
        await make.local_event(await make.local_calendar(bob), archive_key="k", archive_source=source)
        session.add(
            MailboxApproval(
                tenant_id=configuration.tenant_id,
                owner_id=bob.id,
                configuration_id=configuration.id,
                person_id=people.ada.oid,
                archive_person_id=people.bob.oid,
                source_mailbox_id=people.ada.oid,
                source_calendar_id=configuration.source_calendar_id,
                archive_mailbox_id=people.bob.oid,
                archive_calendar_id=configuration.archive_calendar_id,
                purpose="general",
                days=30,
                state="approved",
                requested_by="user:x",
                ends_at=until,
            )
        )
        return configuration.id


async def amounts(database: Database, configuration: UUID) -> dict[str, int]:
    async with database.session() as session:
        found = {}
        for table in TABLES:
            query = text(f"SELECT count(*) FROM {table} WHERE configuration_id = :one")  # noqa: S608
            found[table] = (await session.execute(query, {"one": configuration})).scalar_one()
        kept = text("SELECT count(*) FROM local_events WHERE archive_key IS NOT NULL")
        return found | {"local_events": (await session.execute(kept)).scalar_one()}


async def test_it_goes_with_the_person_and_nothing_is_read_any_more(
    api: Caller, people: People, database: Database
) -> None:
    configuration = await archive_of_ada(people, database)
    assert min((await amounts(database, configuration)).values()) >= 1
    erasure = await asked(api, people)
    assert erasure["preview"]["archived_by_others"] == 2
    await api("POST", f"v1/user-erasures/{erasure['id']}/confirm", token=second(api))
    await api.durable.erase()
    done = (await api("GET", f"v1/user-erasures/{erasure['id']}", token=people.admin)).json
    assert done["status"] == "completed", done
    assert set((await amounts(database, configuration)).values()) == {0}
    assert done["report"]["rows"]["local_events"] >= 1
    (approval,) = (await api("GET", "v1/mailbox-approvals", token=people.admin)).json["items"]
    assert (approval["status"], approval["reason"]) == ("ended", "the person is erased")
    boss = api.person(people.bob.oid, "Admin")
    path = f"v1/archive-configurations/{configuration}"
    problem(await api("POST", f"{path}/runs", token=boss), 409, "person_erased")
    problem(await api("POST", f"{path}/approval", token=boss), 409, "person_erased")
    # Bob's own archive, and Bob, are as they were.
    assert (await api("GET", path, token=boss)).status == 200


async def test_a_run_in_progress_is_stopped_first(api: Caller, people: People, database: Database) -> None:
    configuration = await archive_of_ada(people, database)
    async with database.session() as session:
        run = await Factory(session).run(
            await session.get_one(ArchiveConfiguration, configuration), state="running"
        )
    erasure = await asked(api, people)
    await api("POST", f"v1/user-erasures/{erasure['id']}/confirm", token=second(api))
    await api.durable.erase()
    waiting = (await api("GET", f"v1/user-erasures/{erasure['id']}", token=people.admin)).json
    assert waiting["status"] == "erasing"
    async with database.session() as session:
        await session.refresh(await session.merge(run))
        stopped = text("UPDATE archive_runs SET state = 'cancelled' WHERE cancel_requested RETURNING id")
        assert (await session.execute(stopped)).scalars().all() == [run.id]
