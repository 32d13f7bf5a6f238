"""A copy that another one replaces stays, shown free, and counts no time (domain.md 2.16, 2.17)."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from shared import telemetry
from shared.domain.copies.archive_copy import ARCHIVE_SOURCE_PROPERTY
from shared.domain.runs.locked_periods import EVERY_CUSTOMER, LockedPeriod
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.superseding import request_superseding
from tests.integration.archiving.simulated_mailbox import event, property_of
from tests.integration.archiving.test_faults import INNER, PATCHED, name
from tests.integration.archiving.test_locked_periods import lock, reopen
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_same_meeting import nothing_more
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR


async def supersede(world: World, subject: str = "Review") -> int:
    """Say that another copy replaces that of this meeting. Returns how many rows it concerns."""
    ports = ArchivingPorts(world.database, world.calendars, world.clock, world.settings, world.person_keys)
    (row,) = await world.rows(
        "SELECT archived_event_id, owner_id FROM appointments WHERE subject = :subject", subject=subject
    )
    with telemetry.bind(caller=world.admin, correlation="test"):
        return len(await _requested(world, ports, row["owner_id"], row["archived_event_id"]))


async def _requested(world: World, ports: ArchivingPorts, owner_id: UUID, row_id: UUID) -> list[UUID]:
    async with world.database.session() as session:
        return await request_superseding(
            session,
            ports,
            owner_id,
            world.configuration_id,
            [row_id],
            because="new_one_only",
        )


async def archived_and_gone(world: World) -> None:
    """Two meetings, archived; one of them is deleted in the source."""
    await world.open([event("Review", NINE, categories=["Acme - billable"]), event("Other", NINE + 3 * HOUR)])
    await world.archive()
    await world.delete((await world.source("Review"))["id"])
    await world.archive()
    assert await supersede(world) == 1


def is_superseded(copy: dict[str, Any]) -> bool:
    told = orjson.loads(property_of(copy, ARCHIVE_SOURCE_PROPERTY))
    assert (copy["showAs"] == "free") == told["superseded"]
    return bool(told["superseded"])


async def state(world: World, subject: str = "Review") -> tuple[str, str, bool]:
    """State of its row, how it is shown in our record, and whether the write is still to be made."""
    (row,) = await world.rows(
        "SELECT e.state, a.show_as, e.superseding_since IS NOT NULL AS due FROM archived_events e"
        " JOIN appointments a ON a.archived_event_id = e.id WHERE a.subject = :subject",
        subject=subject,
    )
    return row["state"], row["show_as"], row["due"]


async def test_a_superseded_copy_stays_as_it_was_but_free(world: World) -> None:
    await archived_and_gone(world)
    before = await world.copy("Review")
    report = await world.archive()
    assert (report["superseded"], report["margin_updates"], adds_up(report)) == (1, 0, True)
    after = await world.copy("Review")
    assert is_superseded(after)
    kept = ("id", "subject", "body", "start", "end", "categories")
    assert {field: after[field] for field in kept} == {field: before[field] for field in kept}
    assert not is_superseded(await world.copy("Other"))
    assert await state(world) == ("superseded", "free", False)
    assert await supersede(world) == 0
    await nothing_more(world)
    audited = await world.rows("SELECT DISTINCT action FROM audit_entries WHERE action LIKE '%supersed%'")
    assert {row["action"] for row in audited} == {
        "appointment.superseded",
        "archived_event.superseding_requested",
    }


async def test_a_source_that_comes_back_is_a_new_event(world: World) -> None:
    await world.open([event("Review", NINE)])
    await world.archive()
    source = (await world.source("Review"))["id"]
    await world.move(source, "Archive")
    await world.archive()
    await supersede(world)
    await world.archive()
    await world.move(source, "Calendar")
    assert (await world.archive())["archived"] == 1
    copies = [copy for copy in await world.copies() if copy["id"] != source]
    assert sorted(is_superseded(copy) for copy in copies) == [False, True]
    await nothing_more(world)


async def test_a_superseded_copy_is_no_meetings_any_more(world: World) -> None:
    await archived_and_gone(world)
    await world.archive()
    await world.add(event("Review", NINE, categories=["Acme - billable"]))
    report = await world.archive()
    assert (report["archived"], report["repointed"]) == (1, 0)
    copies = [copy for copy in await world.copies() if copy["subject"] == "Review"]
    assert sorted(is_superseded(copy) for copy in copies) == [False, True]
    await nothing_more(world)


@pytest.mark.parametrize("trouble", [*INNER, {"kind": "lost_answer"}], ids=name)
async def test_trouble_with_the_write(world: World, trouble: dict[str, Any]) -> None:
    await archived_and_gone(world)
    world.simulator.faults.add({"match": PATCHED, "times": 2, **trouble})
    report = await world.archive()
    assert (report["state"], report["superseded"]) == ("completed", 1)
    assert is_superseded(await world.copy("Review"))
    assert await state(world) == ("superseded", "free", False)
    await nothing_more(world)


async def test_a_write_that_fails_is_tried_again_by_the_next_run_of_any_window(world: World) -> None:
    await archived_and_gone(world)
    world.simulator.faults.add({"match": PATCHED, "kind": "status", "status": 400, "code": "ErrorInvalid"})
    report = await world.archive()
    assert (report["state"], report["superseded"]) == ("completed_with_errors", 0)
    assert await state(world) == ("source_deleted", "busy", True)
    report = await world.archive(DAY + timedelta(days=14), DAY + timedelta(days=15))
    assert (report["state"], report["superseded"]) == ("completed", 1)
    assert is_superseded(await world.copy("Review"))


async def test_what_its_owner_edited_is_a_conflict_until_it_is_asked_again(world: World) -> None:
    await archived_and_gone(world)
    copy = await world.copy("Review")
    await world.edit(copy["id"], subject="Review, and more")
    run = await world.request()
    await world.drive(run.id)
    view = await world.view(run.id)
    assert [problem.error_code for problem in view.problems] == ["edited_by_owner"]
    assert not is_superseded(await world.copy("Review, and more"))
    await nothing_more(world)
    await world.edit(copy["id"], subject="Review")
    assert await supersede(world) == 1
    assert (await world.archive())["superseded"] == 1


async def test_a_copy_that_its_owner_deleted_is_removed(world: World) -> None:
    await archived_and_gone(world)
    await world.delete((await world.copy("Review"))["id"])
    await world.archive()
    assert await state(world) == ("removed_by_owner", "busy", False)
    assert await world.subjects() == ["Other"]
    await nothing_more(world)


async def test_a_locked_period_keeps_the_copy_as_it_is_and_reports_it(world: World) -> None:
    await archived_and_gone(world)
    lock_id = await lock(world, LockedPeriod(EVERY_CUSTOMER, date(2026, 3, 2), date(2026, 3, 3)))
    run = await world.request()
    report = await world.drive(run.id)
    assert (report["superseded"], report["state"]) == (0, "completed")
    assert {problem.error_code for problem in (await world.view(run.id)).problems} == {"period_locked"}
    assert not is_superseded(await world.copy("Review"))
    assert await state(world) == ("source_deleted", "busy", True)
    await reopen(world, lock_id)
    assert (await world.archive())["superseded"] == 1
