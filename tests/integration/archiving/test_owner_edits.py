"""An owner edits what is archived: record and copy change once, runs leave it alone (domain.md 2.5)."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from shared import telemetry
from shared.database.models.appointments import Appointment
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.locked_periods import LockedPeriodRepository
from shared.domain.expected_version import ANY_VERSION, ExpectedVersion
from shared.domain.runs.archive_run import RunState
from shared.domain.runs.locked_periods import EVERY_CUSTOMER, LockedPeriod
from shared.errors import Conflict, PreconditionFailed, ValidationFailed
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.owner_edits import OwnerEdits
from tests.integration.archiving.changed_series import HOUR, NINES, TENS, counting, items, move
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_same_meeting import NINE, daily, nothing_more
from tests.integration.archiving.test_series_edits import outlook
from tests.integration.archiving.test_series_questions import WEEKLY
from tests.integration.archiving.world import DAY, World

NOON = DAY + timedelta(hours=12)


def edits(world: World) -> OwnerEdits:
    return OwnerEdits(
        ArchivingPorts(world.database, world.calendars, world.clock, world.settings, world.person_keys)
    )


async def appointment(world: World) -> Appointment:
    """The one there is."""
    async with world.database.session() as session:
        return (await session.execute(select(Appointment))).scalar_one()


async def ask(world: World, expected: ExpectedVersion = ANY_VERSION, **changes: Any) -> UUID:
    """Queue an edit; the run."""
    found = await appointment(world)
    with telemetry.bind(caller=world.admin, correlation="test"):
        started = await edits(world).edit(world.admin, found.id, changes, expected)
    return started.run.id


async def carry_out(world: World, run_id: UUID) -> dict[str, Any]:
    """What the orchestration does with the run of an edit."""
    assert (await world.archiving.begin(run_id)).mine
    async with world.archiving.acting_for(run_id):
        await world.archiving.reconcile(run_id, 0)
        await edits(world).plan(run_id)
        await world.archiving.apply(run_id)
        await world.archiving.reconcile(run_id, 0)
        await world.archiving.finish(run_id)
    view = await world.view(run_id)
    assert view.run.report is not None
    return view.run.report | {"state": view.run.state}


async def test_an_edit_changes_record_and_copy_and_later_runs_leave_it(world: World) -> None:
    await world.open([event("Workshop", NOON, categories=["Acme billable"])])
    await world.archive()
    longer = (NOON + timedelta(minutes=90)).isoformat()
    run_id = await ask(world, subject="Workshop with Acme", categories=["Acme - billable"], end_at=longer)
    report = await carry_out(world, run_id)
    assert (report["state"], report["source"], report["updated"]) == ("completed", 1, 1)
    copy = await world.copy("Workshop with Acme")
    assert copy["categories"] == ["Acme - billable"]
    assert copy["end"]["dateTime"].startswith("2026-03-02T13:30")
    recorded = await appointment(world)
    assert (recorded.subject, recorded.end_at) == ("Workshop with Acme", NOON + timedelta(minutes=90))
    again = await world.archive()
    assert (again["unchanged"], again["updated"]) == (1, 0)
    assert len(await world.copies()) == 1


async def test_a_later_change_of_the_source_counts(world: World) -> None:
    await world.open([event("Workshop", NOON)])
    await world.archive()
    await carry_out(world, await ask(world, location="Hall"))
    await world.edit((await world.source("Workshop"))["id"], subject="Retreat")
    report = await world.archive()
    assert (report["updated"], report["conflict"]) == (1, 0)
    assert (await world.copy("Retreat"))["location"]["displayName"] == ""


async def test_a_lost_answer_is_found_out_and_the_edit_is_done_once(world: World) -> None:
    await world.open([event("Workshop", NOON)])
    await world.archive()
    run_id = await ask(world, subject="Edited")
    world.simulator.faults.add({"match": {"method": "PATCH", "in_batch": True}, "kind": "lost_answer"})
    assert (await carry_out(world, run_id))["state"] in ("completed", "completed_with_errors")
    world.clock.advance(minutes=11)
    await world.archive()
    assert (await appointment(world)).subject == "Edited"
    assert [copy["subject"] for copy in await world.copies()] == ["Edited"]


async def test_a_copy_edited_in_outlook_in_between_is_not_overwritten(world: World) -> None:
    await world.open([event("Workshop", NOON)])
    await world.archive()
    run_id = await ask(world, subject="By the API")
    await world.edit((await world.copy("Workshop"))["id"], subject="By hand")
    report = await carry_out(world, run_id)
    assert (report["conflict"], report["updated"]) == (1, 0)
    assert [copy["subject"] for copy in await world.copies()] == ["By hand"]
    assert (await appointment(world)).subject == "Workshop"


@pytest.mark.parametrize("hidden", [2, 4])
async def test_a_copy_edited_in_outlook_counts_although_stale_reads_hide_it(
    world: World, hidden: int
) -> None:
    await world.open([event("Workshop", NOON)])
    await world.archive()
    await world.edit((await world.copy("Workshop"))["id"], location={"displayName": "By hand"})
    await world.edit((await world.source("Workshop"))["id"], subject="Retreat")
    world.hide_new_copies(times=hidden)
    run = await world.request()
    assert (await world.drive(run.id))["conflict"] == 1
    assert [problem.error_code for problem in (await world.view(run.id)).problems] == ["edited_by_owner"]
    (row,) = await world.rows("SELECT state FROM archived_events")
    assert row["state"] == "present"


async def test_a_source_that_is_gone_stays_gone(world: World) -> None:
    await world.open([event("Workshop", NOON)])
    await world.archive()
    await world.delete((await world.source("Workshop"))["id"])
    await world.archive()
    since = (await appointment(world)).source_deleted_at
    await carry_out(world, await ask(world, subject="What was"))
    edited = await appointment(world)
    assert (edited.subject, edited.source_deleted_at) == ("What was", since)
    assert since is not None


async def test_what_cannot_be_edited_is_refused(world: World) -> None:
    await world.open([event("Workshop", NOON)])
    await world.archive()
    found = await appointment(world)
    with pytest.raises(PreconditionFailed):
        await ask(world, ExpectedVersion.of(["1"]), subject="x")
    with pytest.raises(ValidationFailed) as refused:
        await ask(world, end_at=(NOON - timedelta(hours=1)).isoformat())
    assert refused.value.errors[0].field == "end"
    run_id = await ask(world, ExpectedVersion.of([str(found.version)]), subject="first")
    with pytest.raises(Conflict):
        await ask(world, subject="second")
    await carry_out(world, run_id)
    assert (await world.view(run_id)).run.state == RunState.COMPLETED
    async with world.database.session() as session:
        configuration = await session.get_one(ArchiveConfiguration, world.configuration_id)
        await LockedPeriodRepository(session).add(
            world.tenant_id,
            configuration.owner_id,
            LockedPeriod(EVERY_CUSTOMER, NOON.date(), NOON.date() + timedelta(days=1)),
            "test",
            world.clock.now(),
        )
    with pytest.raises(Conflict) as locked:
        await ask(world, subject="third")
    assert locked.value.code == "period_locked"


async def test_a_series_that_moves_before_an_edited_day_stays_refused_and_asks_nothing(world: World) -> None:
    await world.open([daily("Standup")])
    world.clock.advance(seconds=(NINE - HOUR - world.clock.now()).total_seconds())
    await world.archive()
    (monday,) = [c for c in await world.copies() if c["start"]["dateTime"].startswith("2026-03-02")]
    await world.edit(monday["id"], subject="Standup with guests")
    await move(world, HOUR)
    report = await world.archive()
    assert (report["conflict"], report["updated"]) == (1, 4)
    world.clock.advance(days=30)
    for _ in range(2):
        report = await world.archive()
        assert (report["conflict"], report["unchanged"]) == (1, 4)
    assert await items(world) == []
    assert await counting(world) == [NINES[0], *TENS[1:]]


async def renamed(world: World) -> Any:
    """The copy of the only event has another subject, on its owner's word; Outlook to change the event."""
    await world.archive()
    await carry_out(world, await ask(world, subject="Workshop"))
    await carry_out(world, await ask(world, subject="Workshop with Acme"))
    return await outlook(world)


async def test_a_renamed_copy_keeps_its_meeting_when_that_is_entered_again(world: World) -> None:
    await world.open([event("Seminar", NOON)])
    edits = await renamed(world)
    await world.delete((await world.source("Seminar"))["id"])
    await edits.create("Seminar", NOON.replace(tzinfo=None))
    report = await world.archive()
    assert (report["archived"], report["repointed"], await world.items()) == (0, 1, [])
    assert await counting(world) == ["02 12:00"]


async def test_a_renamed_copy_counts_once_when_its_meeting_is_entered_again_later_that_day(
    world: World,
) -> None:
    await world.open([event("Seminar", NOON)])
    edits = await renamed(world)
    await world.delete((await world.source("Seminar"))["id"])
    await edits.create("Seminar", NOON.replace(hour=14, tzinfo=None))
    assert (await world.archive())["flagged"] == 1
    assert await counting(world) == ["02 12:00"]


async def test_a_renamed_copy_stays_when_its_series_is_split_before_it(world: World) -> None:
    await world.open([])
    edits = await outlook(world)
    before = NINE.replace(tzinfo=None) - timedelta(days=7)
    series = await edits.create("Seminar", before, 60, recurrence=WEEKLY)
    edits = await renamed(world)
    await edits.split_series(series, date(2026, 3, 2))
    report = await world.archive()
    assert (report["flagged"], report["archived"]) == (0, 0)
    assert (report["repointed"], await world.items()) == (1, [])
    assert await world.subjects() == ["Workshop with Acme"]
    await nothing_more(world)
