"""A deleted archive calendar is rebuilt from our record, every copy exactly once (domain.md 1)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import Range

from shared import telemetry
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.models.locked_periods import LockedPeriodRow
from shared.database.models.users import User
from shared.domain.calendars.calendar_reference import parse
from shared.domain.calendars.local_calendar import local_row
from shared.domain.copies.archive_copy import ARCHIVE_KEY_PROPERTY, ARCHIVE_REVISION_PROPERTY
from shared.domain.expected_version import ANY_VERSION
from shared.errors import ArchiveInUse
from tests.integration.archiving.simulated_mailbox import ADDRESS, event, property_of
from tests.integration.archiving.test_superseding import is_superseded, supersede
from tests.integration.archiving.world import DAY, World
from tests.integration.verifying.rebuilder import (
    configuration,
    drop_calendar,
    meetings,
    names,
    nothing_left_to_do,
    rebuild,
    refusal,
)
from tests.integration.verifying.verifier import WEEK_END, Verifier


def content(copy: dict[str, Any]) -> dict[str, Any]:
    """What a copy says, whenever it was made."""
    fields = ("subject", "body", "start", "end", "categories", "showAs", "sensitivity", "location")
    kept = {name: copy[name] for name in fields}
    return kept | {
        name: property_of(copy, name) for name in (ARCHIVE_KEY_PROPERTY, ARCHIVE_REVISION_PROPERTY)
    }


async def test_every_copy_comes_back_once_those_too_whose_source_is_gone_and_the_job_continues(
    world: World, verifier: Verifier
) -> None:
    extended = event("Extended", DAY + timedelta(hours=2, minutes=30), 15)
    twice = event("Meeting 5", DAY + timedelta(hours=5), 30)
    await world.open([*meetings(45), extended, twice])
    await world.add_job()
    first = await world.archive()
    assert (first["archived"], first["merged"], first["consumed"]) == (45, 1, 1)
    await world.delete((await world.source("Meeting 7"))["id"])
    await world.archive()
    before = sorted((content(copy) for copy in await world.copies()), key=str)
    old = await configuration(world)
    drop_calendar(world)
    failed = await world.request()
    assert (await world.drive(failed.id))["state"] == "failed"
    assert ((await world.view(failed.id)).run.plan or {})["code"] == "archive_calendar_gone"
    assert (await world.job())[0]
    assert (await configuration(world)).archive_gone_since is not None

    report = await rebuild(verifier)

    assert (report["state"], report["source"], report["archived"]) == ("completed", 45, 45)
    assert sorted((content(copy) for copy in await world.copies()), key=str) == before
    new = await configuration(world)
    assert new.archive_calendar_id != old.archive_calendar_id
    assert (new.archive_reference, new.archive_gone_since) == (old.archive_reference, None)
    assert new.version == old.version + 1
    async with world.database.session() as session:
        rows = (await session.execute(select(ArchivedEvent))).scalars().all()
        gone = await session.execute(
            text("SELECT count(*) FROM appointments WHERE source_deleted_at IS NOT NULL")
        )
    copied = [row for row in rows if row.copy_id is not None]
    assert {(row.generation, row.lost_at) for row in copied} == {(1, None)}
    assert sorted({row.state for row in rows}) == ["consumed", "merged", "present", "source_deleted"]
    assert gone.scalar_one() == 1
    assert await world.job() == (False, 0)
    await nothing_left_to_do(verifier)
    told = await world.rows(
        "SELECT action FROM audit_entries WHERE action LIKE '%rebuil%' OR action = 'job.resumed' "
        "ORDER BY occurred_at"
    )
    assert [row["action"] for row in told] == [
        "archive_configuration.archive_rebuild_began",
        "archive_configuration.archive_calendar_rebuilt",
        "job.resumed",
    ]


async def test_the_free_copy_of_a_consumed_modification_comes_back_as_it_was(
    world: World, verifier: Verifier
) -> None:
    await world.open([event("Extended", DAY + timedelta(hours=2), 30)])
    await world.archive()
    await world.add(event("Review", DAY + timedelta(hours=1), 60))
    assert (await world.archive())["consumed"] == 1
    before = sorted((content(copy) for copy in await world.copies()), key=str)
    assert sorted(copy["showAs"] for copy in before) == ["busy", "free"]
    drop_calendar(world)
    await rebuild(verifier)
    assert sorted((content(copy) for copy in await world.copies()), key=str) == before
    await nothing_left_to_do(verifier)
    counted = "SELECT subject FROM appointments WHERE excluded IS NULL"
    assert [row["subject"] for row in await world.rows(counted)] == ["Review"]
    # It stays when its source goes. Then the meeting has its own time again.
    await world.delete((await world.source("Extended"))["id"])
    assert (await world.archive())["source_deleted"] == 1
    assert len(await world.copies()) == 2
    await nothing_left_to_do(verifier)


async def test_a_calendar_that_is_there_is_left_alone(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    writes = world.counts()["writes"]
    assert await refusal(verifier) == "archive_calendar_exists"
    drop_calendar(world)
    await rebuild(verifier)
    assert await refusal(verifier) == "archive_calendar_exists"
    assert (names(world), len(await world.copies())) == (["Archive", "Calendar"], 2)
    assert world.counts()["writes"] > writes


async def test_what_its_owner_deleted_by_hand_stays_deleted(world: World, verifier: Verifier) -> None:
    await world.open(meetings(3))
    await world.archive()
    await world.delete((await world.copy("Meeting 1"))["id"])
    await world.edit((await world.source("Meeting 1"))["id"], subject="Meeting 1, changed")
    await world.archive()
    drop_calendar(world)
    assert (await rebuild(verifier))["archived"] == 2
    assert await world.subjects() == ["Meeting 0", "Meeting 2"]
    writes = world.counts()["writes"]
    await world.archive()
    assert world.counts()["writes"] == writes


async def test_an_owners_edit_comes_back_as_they_made_it(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    async with world.database.session() as session:
        found = await session.execute(text("SELECT id FROM appointments WHERE subject = 'Meeting 0'"))
        appointment = found.scalar_one()
    with telemetry.bind(caller=world.admin, correlation="edit"):
        started = await verifier.app.archiving.owner_edits.edit(
            world.admin, appointment, {"subject": "Mine"}, ANY_VERSION
        )
    await verifier.run(started.run.id)
    drop_calendar(world)
    await rebuild(verifier)
    assert await world.subjects() == ["Meeting 1", "Mine"]
    await nothing_left_to_do(verifier)


@pytest.mark.parametrize("known", [True, False])
async def test_the_name_is_the_former_one_however_the_reference_said_it(
    world: World, verifier: Verifier, *, known: bool
) -> None:
    await world.open(meetings(1))
    old = await configuration(world)
    await world.configure(
        archive_reference=f"msgraph://{ADDRESS}/calendars/{old.archive_calendar_id}",
        archive_calendar_name="Archive" if known else None,
    )
    await world.archive()
    drop_calendar(world)
    await rebuild(verifier)
    # Where nobody noted it, that of the configuration says most.
    assert names(world) == (["Archive", "Calendar"] if known else ["Calendar", "Main"])
    new = await configuration(world)
    assert parse(new.archive_reference).calendar == new.archive_calendar_name
    assert len(await world.events("Archive" if known else "Main")) == 1


async def test_a_job_paused_for_another_reason_stays_paused(world: World, verifier: Verifier) -> None:
    await world.open(meetings(1))
    await world.add_job()
    await world.archive()
    async with world.database.session() as session:
        await session.execute(update(Job).values(paused=True))
    drop_calendar(world)
    await world.archive()
    await rebuild(verifier)
    assert (await world.job())[0]


async def test_a_calendar_that_its_owner_restored_resumes_the_job(world: World, verifier: Verifier) -> None:
    await world.open(meetings(1))
    await world.add_job()
    there = (await configuration(world)).archive_calendar_id
    # As Graph forms ids, but of no calendar there is.
    await world.configure(archive_calendar_id=f"{there[:-12]}zzzz{there[-8:]}")
    await world.archive()
    assert (await world.job())[0]
    await world.configure(archive_calendar_id=there)
    await world.archive()
    assert await world.job() == (False, 0)
    assert (await configuration(world)).archive_gone_since is None


async def test_a_verification_notices_it_too_and_continues_weekly(world: World, verifier: Verifier) -> None:
    await world.open(meetings(1))
    await world.archive()
    async with world.database.session() as session:
        owner = (await session.execute(select(User.id))).scalar_one()
        job = Job(
            tenant_id=world.tenant_id,
            owner_id=owner,
            configuration_id=world.configuration_id,
            kind="verify",
            schedule={"kind": "weekly", "at": "03:00", "days": ["sunday"]},
            time_zone="UTC",
        )
        session.add(job)
    asked = await verifier.request()
    async with world.database.session() as session:
        await session.execute(
            text("UPDATE verifications SET job_id = :job, scheduled_for = created_at"), {"job": job.id}
        )
    drop_calendar(world)
    assert (await verifier.drive(asked.id)).state == "failed"
    assert (await configuration(world)).archive_gone_since is not None
    await rebuild(verifier)
    async with world.database.session() as session:
        assert not (await session.get_one(Job, job.id)).paused


async def lock_the_week(world: World) -> None:
    async with world.database.session() as session:
        owner = (await session.execute(select(User.id))).scalar_one()
        session.add(
            LockedPeriodRow(
                tenant_id=world.tenant_id,
                owner_id=owner,
                period=Range(DAY.date(), WEEK_END.date()),
                locked_by="system:test",
            )
        )


async def test_copies_of_a_locked_period_come_back_as_they_were(world: World, verifier: Verifier) -> None:
    await world.open(meetings(3))
    await world.archive()
    await world.edit((await world.source("Meeting 0"))["id"], subject="Too late")
    await lock_the_week(world)
    drop_calendar(world)
    assert (await rebuild(verifier))["archived"] == 3
    assert await world.subjects() == ["Meeting 0", "Meeting 1", "Meeting 2"]
    # What changed since is reported by runs, as ever, and not written.
    assert (await world.archive())["locked"] == 1


async def test_one_copy_of_a_locked_period_is_put_back_too(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    await world.delete((await world.copy("Meeting 1"))["id"])
    await lock_the_week(world)
    verified = await verifier.verify()
    (finding,) = await verifier.findings(verified)
    assert (await verifier.put_back(verified, finding)).state == "completed"
    assert await world.subjects() == ["Meeting 0", "Meeting 1"]


async def test_two_archives_in_one_calendar_are_rebuilt_into_one(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    drop_calendar(world)
    main = await configuration(world)
    kept = {c.key: getattr(main, c.key) for c in ArchiveConfiguration.__mapper__.column_attrs}
    other = ArchiveConfiguration(
        **(kept | {"id": UUID(int=7), "name": "Second", "source_calendar_id": "of another calendar"})
    )
    async with world.database.session() as session:
        session.add(other)
    await rebuild(verifier)
    world.configuration_id = UUID(int=7)
    await rebuild(verifier)
    assert names(world) == ["Archive", "Calendar"]
    assert (await configuration(world)).archive_calendar_id == (await other_calendar(world, main.id))


async def test_no_rebuild_leads_to_two_archives_of_one_calendar_in_one(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(1))
    main = await configuration(world)
    kept = {c.key: getattr(main, c.key) for c in ArchiveConfiguration.__mapper__.column_attrs}
    drop_calendar(world)
    # Its owner gave another archive of the same calendar the name of the one that is gone.
    renamed = await world.calendars.create_calendar(str(world.person_id), "Archive")
    other = kept | {"id": UUID(int=7), "name": "Second", "archive_calendar_id": renamed.id}
    async with world.database.session() as session:
        session.add(ArchiveConfiguration(**other))
    with pytest.raises(ArchiveInUse):
        await rebuild(verifier)
    assert (await configuration(world)).archive_calendar_id == main.archive_calendar_id


async def other_calendar(world: World, configuration_id: UUID) -> str:
    async with world.database.session() as session:
        return (await session.get_one(ArchiveConfiguration, configuration_id)).archive_calendar_id


async def test_a_calendar_of_our_own_is_rebuilt_like_one_at_graph(world: World, verifier: Verifier) -> None:
    await world.open(meetings(25))
    with telemetry.bind(caller=world.admin, correlation="local"):
        stores = verifier.app.foundations.calendar_stores.in_tenant(world.tenant_id)
        calendar = await stores.create_calendar(str(world.person_id), "Own archive", "local")
    await world.configure(
        archive_calendar_id=calendar.id,
        archive_reference=f"local://{ADDRESS}/calendars/Own%20archive",
        archive_calendar_name="Own archive",
    )
    await verifier.run((await world.request()).id)
    async with world.database.session() as session:
        await session.execute(delete(LocalCalendar).where(LocalCalendar.id == local_row(calendar.id)))
    await verifier.run((await world.request()).id)
    assert (await configuration(world)).archive_gone_since is not None
    assert (await rebuild(verifier))["archived"] == 25
    async with world.database.session() as session:
        assert len((await session.execute(select(LocalEvent.id))).all()) == 25
        assert (await session.execute(select(LocalCalendar.name))).scalars().all() == ["Own archive"]
    assert await verifier.found(await verifier.verify()) == []
    run = await world.request()
    await verifier.run(run.id)
    report = (await world.view(run.id)).run.report or {}
    assert (report["unchanged"], report["archived"], report["updated"]) == (25, 0, 0)


async def test_a_superseded_copy_comes_back_superseded_and_differs_in_nothing(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(3))
    await world.archive()
    await world.delete((await world.source("Meeting 1"))["id"])
    await world.archive()
    await supersede(world, "Meeting 1")
    await world.archive()
    assert await verifier.found(await verifier.verify()) == []
    drop_calendar(world)
    failed = await world.request()
    assert (await world.drive(failed.id))["state"] == "failed"
    assert (await rebuild(verifier))["archived"] == 3
    assert is_superseded(await world.copy("Meeting 1"))
    assert not is_superseded(await world.copy("Meeting 2"))
    (row,) = await world.rows("SELECT count(*) AS n FROM archived_events WHERE state = 'superseded'")
    assert row["n"] == 1
    await nothing_left_to_do(verifier)
