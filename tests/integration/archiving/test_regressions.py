"""Defects that the simulation found (``./dev simulate``), each as small as it can be shown."""

import asyncio
from collections.abc import AsyncIterator
from copy import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.prepared import PreparedWrite
from shared.domain.events.source_event import SourceEvent
from shared.errors import Unavailable
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.retry import RetryPolicy
from shared.graph.throttle import Throttle
from shared.services.archiving.planning import RunPlanner
from shared.services.archiving.unseen_events import UnseenEvents
from shared.services.audit.recording import AuditWriter
from shared.services.operation.mailbox_pauses import MailboxPauses
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_locked_periods import MONDAY, lock
from tests.integration.archiving.world import DAY, World
from tests.support.cancelling import request_cancel


def meetings(count: int) -> list[dict[str, Any]]:
    """Meetings in a row."""
    return [event(f"Meeting {n}", DAY + timedelta(hours=n), 30) for n in range(count)]


async def rows(world: World, statement: str) -> list[Any]:
    """What a statement finds."""
    async with world.database.session() as session:
        return list(await session.execute(text(statement)))


async def states(world: World) -> set[str]:
    """The states of all operations."""
    return {row.state for row in await rows(world, "SELECT DISTINCT state FROM archive_operations")}


async def test_two_attempts_at_planning_a_run_make_one_plan(world: World) -> None:
    world.simulator.settings.page_size_max = 5
    await world.open(meetings(30))
    world.simulator.faults.add(
        {"match": {"path_regex": "calendarView"}, "kind": "delay", "delay_ms": 30, "times": None}
    )
    run = await world.request()
    assert (await world.archiving.begin(run.id)).mine
    async with world.archiving.acting_for(run.id):
        plans = await asyncio.gather(world.archiving.plan(run.id), world.service().plan(run.id))
    assert [plan.planned for plan in plans] == [30, 30]
    report = await world.drive(run.id)
    assert (report["source"], report["archived"]) == (30, 30)
    assert await states(world) == {"done"}


async def test_a_run_that_ends_without_a_plan_reports_no_events(world: World) -> None:
    await world.open(meetings(3))
    run_id = await world.break_off_plan(RunPlanner, "_complete")
    async with world.archiving.acting_for(run_id):
        await world.archiving.finish(run_id, "it crashed")
    report = (await world.view(run_id)).run.report
    assert report is not None
    assert (report["source"], report["failed"]) == (0, 0)
    assert (await world.archive())["archived"] == 3


async def test_a_run_that_is_cancelled_while_it_is_planned_reports_no_events(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open(meetings(3))
    run = await world.request()

    async def cancel(*_: Any) -> dict[str, Any]:
        async with world.database.session() as session:
            await request_cancel(session, run.id)
        return {}

    with monkeypatch.context() as broken:
        broken.setattr(UnseenEvents, "read_bodies", cancel)
        report = await world.drive(run.id)
    assert (report["state"], report["source"], report["failed"]) == ("cancelled", 0, 0)
    assert (await world.archive())["archived"] == 3


async def test_duplicates_are_merged_though_a_plan_before_was_never_finished(world: World) -> None:
    same = event("Twice", DAY + timedelta(hours=9))
    await world.open([same, dict(same)])
    run_id = await world.break_off_plan(UnseenEvents, "read_bodies")
    await rows(world, "UPDATE archived_events SET state = 'creating', merged_into = NULL RETURNING id")
    report = await world.drive(run_id)
    assert (report["archived"], report["merged"]) == (1, 1)
    assert len(await world.copies()) == 1


async def test_what_a_late_holder_puts_back_after_the_run_ended_is_decided_again(world: World) -> None:
    await world.open(meetings(4))
    run = await world.request()
    await world.plan(run.id)
    world.simulator.faults.add(
        {"match": {"method": "POST", "in_batch": True}, "kind": "delay", "delay_ms": 400, "times": 4}
    )
    world.simulator.faults.add(
        {
            "match": {"method": "POST", "in_batch": True},
            "kind": "status",
            "status": 429,
            "code": "ApplicationThrottled",
            "retry_after": 1,
            "times": 4,
        }
    )
    late = asyncio.create_task(world.apply(run.id))
    while "sent" not in await states(world):
        await asyncio.sleep(0.01)
    await world.finish(run.id)
    await late
    assert await states(world) == {"cancelled"}
    assert (await world.archive())["archived"] == 4


async def test_one_unanswered_question_does_not_lose_the_other_answers(world: World) -> None:
    await world.open(meetings(2))
    throttle = Throttle(MailboxPauses(world.database), world.clock)
    world.calendars = CalendarAdapter(world.graph, throttle, RetryPolicy(attempts=1))
    impatient = world.service()
    run = await world.request()
    await world.plan(run.id)
    world.simulator.faults.add(
        {"match": {"method": "POST", "path_regex": r"\$batch", "in_batch": False}, "kind": "lost_answer"}
    )
    await world.apply(run.id, impatient)
    assert await states(world) == {"sent"}
    world.simulator.faults.add(
        {
            "match": {"method": "GET", "in_batch": False},
            "kind": "status",
            "status": 503,
            "skip": 1,
            "times": None,
        }
    )
    async with impatient.acting_for(run.id):
        assert (await impatient.reconcile(run.id, 0)).open == 1
    assert await states(world) == {"sent", "done"}


async def test_the_record_follows_the_copy_to_the_duplicate_that_takes_it_over(world: World) -> None:
    same = event("Twice", DAY + timedelta(hours=9))
    await world.open([same, dict(same)])
    await world.archive()
    merged = await rows(world, "SELECT merged_into FROM archived_events WHERE state = 'merged'")
    await world.delete(merged[0].merged_into.removeprefix("s:"))
    await world.archive()
    found = await rows(
        world,
        "SELECT e.state, a.source_deleted_at FROM appointments a"
        " JOIN archived_events e ON e.id = a.archived_event_id",
    )
    assert [tuple(row) for row in found] == [("present", None)]


async def test_a_merged_event_that_was_gone_and_comes_back_different_is_archived(world: World) -> None:
    same = event("Twice", DAY + timedelta(hours=9))
    await world.open([same, dict(same)])
    await world.archive()
    merged = await rows(
        world,
        "UPDATE archived_events SET state = 'source_deleted' WHERE state = 'merged' RETURNING source_key",
    )
    await world.edit(merged[0].source_key.removeprefix("s:"), subject="Once more")
    report = await world.archive()
    assert (report["archived"], report["unchanged"]) == (1, 1)
    assert {copy["subject"] for copy in await world.copies()} == {"Twice", "Once more"}


async def test_the_record_of_an_event_that_is_back_does_not_say_that_it_is_deleted(world: World) -> None:
    await world.open(meetings(1))
    await world.archive()
    await rows(world, "UPDATE archived_events SET state = 'source_deleted' RETURNING id")
    await rows(world, "UPDATE appointments SET source_deleted_at = now() RETURNING id")
    assert (await world.archive())["unchanged"] == 1
    assert [row.source_deleted_at for row in await rows(world, "SELECT * FROM appointments")] == [None]


async def test_a_write_that_a_locked_period_forbids_is_audited(world: World) -> None:
    await world.open(meetings(1))
    await lock(world, MONDAY)
    assert (await world.archive())["locked"] == 1
    (operation,) = await rows(world, "SELECT id FROM archive_operations WHERE state = 'locked'")
    audited = await rows(world, "SELECT changes FROM audit_entries WHERE action = 'archive_run.batch'")
    assert [row.changes["operations"] for row in audited] == [{"locked": [str(operation.id)]}]


async def test_what_moves_while_pages_are_read_is_archived_as_it_was_decided(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open([event("Early", DAY + timedelta(hours=9)), event("Late", DAY + timedelta(days=4))])
    read_window = CalendarAdapter.read_window

    async def moving(*arguments: Any) -> AsyncIterator[list[SourceEvent]]:
        pages = [page async for page in read_window(*arguments)]
        early, late = (found for page in pages for found in page)
        moved = replace(early, start=early.start + timedelta(days=5), end=early.end + timedelta(days=5))
        yield [early]
        yield [late, moved]

    with monkeypatch.context() as changed:
        changed.setattr(CalendarAdapter, "read_window", moving)
        assert (await world.archive())["archived"] == 2
    report = await world.archive()
    assert (report["unchanged"], report["updated"]) == (2, 0)
    copy = await world.copy("Early")
    assert copy["start"]["dateTime"][:10] == f"{DAY:%Y-%m-%d}"


async def test_an_entry_that_changed_while_its_meeting_consumed_it_is_updated_when_it_stands_alone(
    world: World,
) -> None:
    await world.open([event("Extended", DAY + timedelta(hours=10), 30)])
    await world.archive()
    await world.add(event("Review", DAY + timedelta(hours=9)))
    await world.edit((await world.source("Extended"))["id"], categories=["Acme - billable"])
    assert (await world.archive())["consumed"] == 1
    await world.delete((await world.source("Review"))["id"])
    assert (await world.archive())["updated"] == 1
    assert (await world.copy("Extended"))["categories"] == ["Acme - billable"]
    assert (await world.archive())["unchanged"] == 1


async def test_a_meeting_that_is_back_beside_the_one_that_has_its_copy_is_archived_alone(
    world: World,
) -> None:
    await world.open(meetings(1))
    await world.archive()
    # As a stale read leaves it: another meeting took the copy over, then the first one shows again.
    await world.add(event("Other", DAY + timedelta(hours=9)))
    other = await world.source("Other")
    await world.rows(
        "UPDATE archived_events SET source_key = 's:' || :id, source_id = :id, ical_uid = 'other'"
        " RETURNING id",
        id=other["id"],
    )
    report = await world.archive()
    assert (report["archived"], report["updated"]) == (1, 1)
    assert list((await world.copies_by_key()).values()) == [1, 1]
    found = await rows(world, "SELECT copy_id FROM archived_events")
    assert {row.copy_id for row in found} == {copy["id"] for copy in await world.copies()}


async def test_a_database_that_is_away_while_jobs_are_claimed_is_no_fault_of_the_job(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open(meetings(1))
    await world.add_job()
    end = PreparedWrite("SELECT pg_terminate_backend(pg_backend_pid(), 0)")

    async def lose(_: AuditWriter, session: AsyncSession, __: object) -> None:
        await end.rows(session, {})

    with monkeypatch.context() as broken:
        broken.setattr(AuditWriter, "add", lose)
        with pytest.raises(Unavailable):
            await world.archiving.claim_due_jobs()
    assert len(await world.archiving.claim_due_jobs()) == 1


async def test_a_plan_that_a_newer_version_stored_is_written_and_finished(world: World) -> None:
    await world.open(meetings(2))
    run = await world.request()
    await world.plan(run.id)
    await rows(world, """UPDATE archive_runs SET plan = plan || '{"only_newer": 1}' RETURNING id""")
    assert (await world.apply(run.id)).remaining == 0
    assert (await world.finish(run.id)).state == "completed"
    assert len(await world.copies()) == 2
