"""Periods that a finalised timesheet locked (domain.md 2.8)."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

import pytest

from shared import telemetry
from shared.database.repositories.archiving.archive_operations import ArchiveOperationRepository
from shared.database.repositories.archiving.locked_periods import LockedPeriodRepository
from shared.domain.runs.locked_periods import EVERY_CUSTOMER, LockedPeriod
from shared.errors import Conflict
from shared.services.audit.recording import AuditWriter
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.world import DAY, World
from tests.support.locked_periods import PeriodLocker

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR
MONDAY = LockedPeriod(EVERY_CUSTOMER, date(2026, 3, 2), date(2026, 3, 3))
TUESDAY = LockedPeriod(EVERY_CUSTOMER, date(2026, 3, 3), date(2026, 3, 4))


async def lock(world: World, period: LockedPeriod) -> UUID:
    """Lock a period as an admin."""
    (owner,) = await world.rows("SELECT owner_id FROM archive_configurations")
    with telemetry.bind(caller=world.admin, correlation="test"):
        async with world.database.session() as session:
            locking = PeriodLocker(world.clock, AuditWriter(world.clock, world.person_keys))
            return (await locking.lock(session, world.admin, owner["owner_id"], period)).id


async def reopen(world: World, lock_id: UUID) -> bool:
    """Reopen a period as an admin."""
    (owner,) = await world.rows("SELECT owner_id FROM archive_configurations")
    with telemetry.bind(caller=world.admin, correlation="test"):
        async with world.database.session() as session:
            locking = PeriodLocker(world.clock, AuditWriter(world.clock, world.person_keys))
            return await locking.reopen(session, world.admin, owner["owner_id"], lock_id)


async def test_late_arrivals_and_changes_are_reported_and_not_written(world: World) -> None:
    await world.open([event("Monday", NINE), event("Tuesday", NINE + 24 * HOUR)])
    await world.archive()
    lock_id = await lock(world, MONDAY)
    await world.add(event("Late arrival", NINE + 3 * HOUR))
    for subject in ("Monday", "Tuesday"):
        await world.edit((await world.source(subject))["id"], subject=f"{subject}, changed")
    report = await world.archive()
    assert (report["locked"], report["updated"], report["archived"]) == (2, 1, 0)
    assert (adds_up(report), report["state"]) == (True, "completed")
    assert await world.subjects() == ["Monday", "Tuesday, changed"]
    view = await world.view(
        (await world.rows("SELECT id FROM archive_runs ORDER BY created_at DESC"))[0]["id"]
    )
    assert {problem.error_code for problem in view.problems} == {"period_locked"}
    assert await reopen(world, lock_id)
    assert not await reopen(world, lock_id)
    report = await world.archive()
    assert (report["locked"], report["updated"], report["archived"]) == (0, 1, 1)


async def test_a_change_must_not_take_hours_out_of_a_locked_period(world: World) -> None:
    await world.open([event("Monday", NINE)])
    await world.archive()
    await lock(world, MONDAY)
    later = event("x", NINE + 48 * HOUR)
    await world.edit((await world.source("Monday"))["id"], start=later["start"], end=later["end"])
    assert (await world.archive())["locked"] == 1
    assert (await world.copy("Monday"))["start"]["dateTime"].startswith("2026-03-02")


@pytest.mark.parametrize("archived_before", [True, False])
async def test_a_modification_must_not_add_hours_to_a_locked_period(
    world: World, *, archived_before: bool
) -> None:
    await world.open([event("Late shift", DAY + 23 * HOUR)])
    if archived_before:
        await world.archive()
    await lock(world, TUESDAY)
    await world.add(event("Extended", DAY + 24 * HOUR, 30))
    report = await world.archive()
    assert (report["locked"], report["consumed"], adds_up(report)) == (1, 1, True)
    assert [copy["end"]["dateTime"][:16] for copy in await world.copies()] == (
        ["2026-03-03T00:00"] if archived_before else []
    )
    await world.delete((await world.source("Extended"))["id"])
    await world.archive()
    assert (await world.copy("Late shift"))["end"]["dateTime"].startswith("2026-03-03T00:00")


async def test_a_meeting_entered_again_after_a_late_one_was_refused_keeps_its_copy(world: World) -> None:
    await world.open([event("Review", NINE), event("Tuesday", NINE + 24 * HOUR)])
    await world.archive()
    lock_id = await lock(world, MONDAY)
    archived = (await world.source("Review"))["id"]
    await world.add(event("Review", NINE, body={"contentType": "text", "content": "Entered again"}))
    assert (await world.archive())["locked"] == 1
    await world.delete(archived)
    await world.edit((await world.source("Tuesday"))["id"], subject="Tuesday, changed")
    report = await world.archive()
    assert (report["repointed"], report["updated"], adds_up(report)) == (1, 1, True)
    assert await world.subjects() == ["Review", "Tuesday, changed"]
    assert await reopen(world, lock_id)
    report = await world.archive()
    assert (report["archived"], report["updated"], adds_up(report)) == (0, 1, True)
    assert "Entered again" in (await world.copy("Review"))["body"]["content"]


async def test_a_lock_of_one_customer_leaves_the_others_alone(world: World) -> None:
    await lock_acme(world)
    report = await world.archive()
    assert (report["locked"], report["archived"]) == (1, 1)
    assert await world.subjects() == ["For Bolt"]


async def test_an_orphan_in_a_locked_period_counts_though_its_meeting_appears(world: World) -> None:
    await world.open([event("Extended", NINE + HOUR, 30)])
    await world.archive()
    await lock(world, MONDAY)
    await world.add(event("Review", NINE))
    report = await world.archive()
    assert (report["consumed"], report["locked"]) == (1, 1)
    assert await world.subjects() == ["Extended"]
    assert await world.rows("SELECT subject FROM appointments WHERE excluded IS NOT NULL") == []


async def lock_acme(world: World) -> None:
    """Work for two customers on a day that is locked for one of them."""
    await world.open(
        [
            event("For Acme", NINE, 30, categories=["ACME - billable"]),
            event("For Bolt", NINE + HOUR, 30, categories=["Bolt - billable"]),
        ]
    )
    await lock(world, LockedPeriod("acme", date(2026, 3, 1), date(2026, 4, 1)))


async def test_replacing_stops_at_a_lock_too(world: World) -> None:
    await world.open([event("Monday", NINE), event("Tuesday", NINE + 24 * HOUR)])
    await world.archive()
    await world.edit((await world.copy("Monday"))["id"], subject="By hand")
    await lock(world, MONDAY)
    report = await world.replace()
    assert (report["locked"], report["updated"]) == (1, 1)
    assert await world.subjects() == ["By hand", "Tuesday"]


async def test_a_day_is_that_of_the_configurations_zone(world: World) -> None:
    await world.open(
        [event("Sunday here", DAY + 4 * HOUR, 30), event("Monday here", DAY + 6 * HOUR, 30)],
        time_zone="America/New_York",
    )
    await lock(world, MONDAY)
    await world.archive()
    assert await world.subjects() == ["Sunday here"]


async def test_nothing_is_locked_while_a_write_into_the_period_is_in_progress(world: World) -> None:
    await world.open([event("Monday", NINE)])
    run = await world.request()
    await world.plan(run.id)
    async with world.database.session() as session:
        operations = ArchiveOperationRepository(session, run.owner_id, run.configuration_id)
        assert len(await operations.claim(run.id, world.clock.now(), 20, 1_000_000)) == 1
    with pytest.raises(Conflict) as refused:
        await lock(world, MONDAY)
    assert refused.value.retry_after
    await lock(world, LockedPeriod(EVERY_CUSTOMER, date(2026, 3, 3), date(2026, 3, 4)))
    await world.drive(run.id)
    await lock(world, MONDAY)
    with pytest.raises(Conflict):
        await lock(world, MONDAY)


async def test_locking_waits_for_a_batch_that_is_just_being_marked_sent(world: World) -> None:
    await world.open([event("Monday", NINE)])
    run = await world.request()
    await world.plan(run.id)
    async with world.database.session() as session:
        assert await LockedPeriodRepository(session).write_turn(run.owner_id) == []
        locking = asyncio.create_task(lock(world, MONDAY))
        await asyncio.sleep(0.1)
        assert not locking.done()
        operations = ArchiveOperationRepository(session, run.owner_id, run.configuration_id)
        await operations.claim(run.id, world.clock.now(), 20, 1_000_000)
    with pytest.raises(Conflict):
        await locking


async def test_many_locked_writes_do_not_hide_those_behind_them(world: World) -> None:
    await world.open(
        [event(f"Monday {n}", DAY + n * HOUR / 4, 10) for n in range(45)]
        + [event("Tuesday", NINE + 24 * HOUR)]
    )
    await lock(world, MONDAY)
    report = await world.archive()
    assert (report["locked"], report["archived"]) == (45, 1)
