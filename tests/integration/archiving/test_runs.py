"""What one run after another does to the archive (domain.md 2.1 to 2.4, 2.6, 2.9, 2.11 to 2.13)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared.domain.copies.archive_copy import (
    ARCHIVE_KEY_PROPERTY,
    ARCHIVE_REVISION_PROPERTY,
    ARCHIVE_SOURCE_PROPERTY,
)
from shared.errors import NotFound, ValidationFailed
from shared.schemas.audit import AuditListQuery
from shared.services.audit.trail import AuditTrail
from tests.integration.archiving.simulated_mailbox import event, property_of
from tests.integration.archiving.world import DAY, World

WEEK = timedelta(days=7)


def week(count: int) -> list[dict[str, object]]:
    """Events spread over the week, an hour apart."""
    return [event(f"Meeting {n}", DAY + timedelta(hours=n), 30) for n in range(count)]


async def test_a_run_archives_every_event_once_and_a_second_one_writes_nothing(world: World) -> None:
    await world.open(week(45))
    first = await world.archive()
    assert (first["state"], first["source"], first["archived"]) == ("completed", 45, 45)
    assert set((await world.copies_by_key()).values()) == {1}
    before = world.counts()
    second = await world.archive()
    assert (second["archived"], second["updated"], second["unchanged"]) == (0, 0, 45)
    after = world.counts()
    assert after["writes"] == before["writes"]
    assert after["reads"] - before["reads"] <= 3


async def test_a_copy_carries_the_content_and_its_origin_but_never_people(world: World) -> None:
    people = [{"emailAddress": {"name": "Bo", "address": "bo@example.test"}, "type": "required"}]
    fields: dict[str, Any] = {
        "location": {"displayName": "Room 4"},
        "categories": ["Acme - billable"],
        "showAs": "tentative",
        "importance": "high",
        "sensitivity": "private",
        "attendees": people,
        "isOnlineMeeting": True,
    }
    await world.open([event("Review", DAY, **fields)])
    await world.archive()
    copy = await world.copy("Review")
    assert "Review" in copy["body"]["content"]
    assert copy["location"]["displayName"] == "Room 4"
    assert copy["categories"] == ["Acme - billable"]
    assert (copy["showAs"], copy["importance"], copy["sensitivity"]) == ("tentative", "high", "private")
    assert not copy.get("attendees")
    assert not copy.get("isOnlineMeeting")
    assert copy["isReminderOn"] is False
    for name in (ARCHIVE_KEY_PROPERTY, ARCHIVE_REVISION_PROPERTY, ARCHIVE_SOURCE_PROPERTY):
        assert property_of(copy, name)
    assert world.counts()["invitations_sent"] == 0
    async with world.database.session() as session:
        attendees = (await session.execute(text("SELECT attendees FROM appointments"))).scalar_one()
    assert attendees[0]["address"] == "bo@example.test"


@pytest.mark.parametrize(
    "fields",
    [
        {"showAs": "free"},
        {"showAs": "tentative"},
        {"sensitivity": "private"},
        {"isCancelled": True},
        {"responseStatus": {"response": "declined", "time": "0001-01-01T00:00:00Z"}},
    ],
)
async def test_events_of_every_status_are_archived(world: World, fields: dict[str, Any]) -> None:
    await world.open([event("Odd one", DAY, **fields)])
    assert (await world.archive())["archived"] == 1
    assert (await world.copy("Odd one"))["subject"] == "Odd one"


async def test_an_all_day_event_is_archived_as_one(world: World) -> None:
    await world.open([event("Fair", DAY, 24 * 60, isAllDay=True)])
    assert (await world.archive())["archived"] == 1
    copy = await world.copy("Fair")
    assert copy["isAllDay"] is True
    assert copy["start"]["dateTime"].startswith("2026-03-02T00:00:00")


async def test_a_changed_event_updates_its_copy_and_audits_both_versions(world: World) -> None:
    await world.open([event("Draft", DAY), event("Other", DAY + timedelta(hours=3))])
    await world.archive()
    await world.edit((await world.source("Draft"))["id"], subject="Final")
    report = await world.archive()
    assert (report["updated"], report["unchanged"]) == (1, 1)
    assert (await world.copy("Final"))["subject"] == "Final"
    async with world.database.session() as session:
        stored = (await session.execute(text("SELECT changes::text FROM audit_entries"))).scalars().all()
    assert not [row for row in stored if "Draft" in row or "Final" in row]
    trail = AuditTrail(world.database, world.person_keys)
    (entry,) = (await trail.search(world.admin, AuditListQuery(action="appointment.updated"))).rows
    changed = {each.field: (each.before, each.after) for each in entry.changes}
    assert changed["subject"] == ("Draft", "Final")


async def test_an_event_that_vanished_keeps_its_copy(world: World) -> None:
    await world.open([event("Gone", DAY), event("Stays", DAY + timedelta(hours=3))])
    await world.archive()
    await world.delete((await world.source("Gone"))["id"])
    report = await world.archive()
    assert (report["source"], report["unchanged"], report["source_deleted"]) == (1, 1, 1)
    assert (await world.copy("Gone"))["subject"] == "Gone"
    async with world.database.session() as session:
        marked = await session.execute(
            text("SELECT subject FROM appointments WHERE source_deleted_at IS NOT NULL")
        )
        assert marked.scalars().all() == ["Gone"]


async def test_an_event_moved_out_of_the_window_is_updated_once(world: World) -> None:
    await world.open([event("Wanders", DAY)])
    await world.archive()
    later = DAY + timedelta(days=20)
    await world.edit(
        (await world.source("Wanders"))["id"],
        start=event("x", later)["start"],
        end=event("x", later)["end"],
    )
    report = await world.archive()
    assert (report["source"], report["updated"]) == (1, 1)
    assert (await world.copy("Wanders"))["start"]["dateTime"].startswith("2026-03-22")
    assert (await world.archive(later - WEEK, later + WEEK))["unchanged"] == 1
    assert len(await world.copies()) == 1


async def test_exact_duplicates_are_archived_once_and_the_next_takes_over(world: World) -> None:
    await world.open([event("Twin", DAY), event("Twin", DAY), event("Single", DAY)])
    report = await world.archive()
    assert (report["archived"], report["merged"]) == (2, 1)
    copy = await world.copy("Twin")
    async with world.database.session() as session:
        source = await session.execute(
            text("SELECT source_id FROM archived_events WHERE copy_id = :copy"), {"copy": copy["id"]}
        )
        representative = source.scalar_one()
    await world.delete(representative)
    report = await world.archive()
    assert (report["archived"], report["merged"], report["unchanged"]) == (0, 0, 2)
    assert (await world.copy("Twin"))["id"] == copy["id"]
    async with world.database.session() as session:
        keys = (await session.execute(text("SELECT archive_key FROM archived_events"))).scalars().all()
    assert all(len(key) == 64 and int(key, 16) for key in keys)
    assert len(set(keys)) == len(keys)


async def test_a_duplicate_that_later_differs_is_archived_alone(world: World) -> None:
    await world.open([event("Twin", DAY), event("Twin", DAY)])
    await world.archive()
    async with world.database.session() as session:
        merged = await session.execute(text("SELECT source_id FROM archived_events WHERE state = 'merged'"))
        await world.edit(merged.scalar_one(), subject="Grown up")
    report = await world.archive()
    assert (report["archived"], report["unchanged"]) == (1, 1)
    assert len(await world.copies()) == 2


async def test_what_the_owner_edited_in_the_archive_is_not_overwritten(world: World) -> None:
    await world.open([event("Draft", DAY)])
    await world.archive()
    await world.edit((await world.copy("Draft"))["id"], subject="By hand")
    await world.edit((await world.source("Draft"))["id"], subject="From source")
    report = await world.archive()
    assert (report["conflict"], report["updated"]) == (1, 0)
    assert (await world.copy("By hand"))["subject"] == "By hand"


async def test_a_copy_the_owner_deleted_is_not_created_again(world: World) -> None:
    await world.open([event("Unwanted", DAY)])
    await world.archive()
    await world.delete((await world.copy("Unwanted"))["id"])
    await world.edit((await world.source("Unwanted"))["id"], subject="Changed")
    assert (await world.archive())["conflict"] == 1
    assert (await world.archive())["conflict"] == 1
    assert await world.copies() == []


async def test_a_recreated_meeting_takes_over_the_copy_of_the_old_one(world: World) -> None:
    await world.open([event("Moved calendar", DAY, iCalUId="uid-1")])
    await world.archive()
    copy = await world.copy("Moved calendar")
    await world.delete((await world.source("Moved calendar"))["id"])
    await world.add(event("Moved calendar", DAY, iCalUId="uid-1"))
    report = await world.archive()
    assert (report["archived"], report["updated"], report["repointed"]) == (0, 1, 1)
    assert (await world.copy("Moved calendar"))["id"] == copy["id"]


async def test_the_same_window_twice_is_one_run_and_another_one_waits(world: World) -> None:
    await world.open(week(3))
    first = await world.start_run(world.admin, DAY, DAY + WEEK)
    again = await world.start_run(world.admin, DAY, DAY + WEEK)
    other = await world.start_run(world.admin, DAY + WEEK, DAY + 2 * WEEK)
    assert (first.created, again.created, other.created) == (True, False, True)
    assert again.run.id == first.run.id
    assert (await world.archiving.begin(first.run.id)).mine
    assert not (await world.archiving.begin(other.run.id)).mine
    await world.drive(first.run.id)
    finished = await world.finish(first.run.id)
    assert finished.next_run_id == other.run.id
    assert (await world.drive(other.run.id))["state"] == "completed"


async def test_a_refused_event_is_listed_and_retried_by_a_later_window(world: World) -> None:
    await world.open(week(3))
    world.simulator.faults.add(
        {
            "match": {"method": "POST", "in_batch": True},
            "kind": "status",
            "status": 400,
            "code": "ErrorInvalidRequest",
        }
    )
    run = await world.request()
    report = await world.drive(run.id)
    assert (report["state"], report["archived"], report["failed"]) == ("completed_with_errors", 2, 1)
    problems = (await world.view(run.id)).problems
    assert [p.error_code for p in problems] == ["ErrorInvalidRequest"]
    elsewhere = await world.archive(DAY + 2 * WEEK, DAY + 3 * WEEK)
    assert elsewhere["archived"] == 1
    assert len(await world.copies()) == 3


async def test_cancelling_stops_before_the_next_batch_and_the_next_run_completes(world: World) -> None:
    await world.open(week(30))
    run = await world.request()
    await world.plan(run.id)
    async with world.database.session() as session:
        await session.execute(text("UPDATE archive_runs SET cancel_requested = true"))
    await world.apply(run.id)
    assert str((await world.finish(run.id)).state) == "cancelled"
    assert await world.copies() == []
    assert (await world.archive())["archived"] == 30


async def test_planning_and_finishing_twice_change_nothing(world: World) -> None:
    await world.open(week(4))
    run = await world.request()
    assert await world.plan(run.id) == await world.plan(run.id)
    await world.drive(run.id)
    before = await world.view(run.id)
    await world.finish(run.id)
    assert (await world.view(run.id)).run.report == before.run.report


async def test_a_plan_that_broke_off_starts_over(world: World) -> None:
    await world.open(week(6))
    world.simulator.settings.page_size_max = 2
    world.simulator.faults.add(
        {
            "match": {"method": "GET", "path_regex": "calendarView"},
            "kind": "status",
            "status": 400,
            "code": "ErrorX",
            "skip": 1,
        }
    )
    run = await world.request()
    report = await world.drive(run.id)
    assert report["reason"] is not None
    assert (report["state"], await world.copies()) == ("failed", [])
    assert (await world.archive())["archived"] == 6


async def test_an_archive_calendar_that_is_gone_fails_the_run_and_writes_nothing(world: World) -> None:
    await world.open(week(2))
    async with world.database.session() as session:
        await session.execute(
            text(
                "UPDATE archive_configurations SET archive_calendar_id = "
                "overlay(archive_calendar_id placing 'zzzz' from length(archive_calendar_id) - 12 for 4)"
            )
        )
    report = await world.archive()
    assert (report["state"], report["source"]) == ("failed", 0)
    assert "does not exist" in report["reason"]


async def test_a_window_that_cannot_be_archived_is_refused_by_field(world: World) -> None:
    await world.open([])
    for start, end, field in (
        (DAY, DAY, "window_end"),
        (DAY, DAY - WEEK, "window_end"),
        (DAY, DAY + timedelta(days=401), "window_end"),
    ):
        with pytest.raises(ValidationFailed) as refused:
            await world.request(start, end)
        assert [e.field for e in refused.value.errors] == [field]


async def test_nobody_sees_or_starts_runs_of_others(world: World) -> None:
    from uuid import uuid4

    from shared.domain.identity.caller import Caller

    await world.open(week(1))
    run = await world.request()
    owner = Caller.user(world.tenant_id, world.person_id)
    assert (await world.archiving.get_run(owner, run.id)).run.id == run.id
    for stranger in (Caller.user(world.tenant_id, uuid4()), Caller.user(uuid4(), world.person_id)):
        with pytest.raises(NotFound):
            await world.archiving.get_run(stranger, run.id)
        with pytest.raises(NotFound):
            await world.start_run(stranger, DAY, DAY + WEEK)


async def test_a_gone_calendar_pauses_the_job_at_once(world: World) -> None:
    await world.open(week(1))
    await world.add_job()
    async with world.database.session() as session:
        await session.execute(
            text(
                "UPDATE archive_configurations SET archive_calendar_id = "
                "overlay(archive_calendar_id placing 'zzzz' from length(archive_calendar_id) - 12 for 4)"
            )
        )
    await world.archive()
    assert await world.job() == (True, 1)


async def test_five_failures_in_a_row_pause_the_job(world: World) -> None:
    await world.open(week(1))
    await world.add_job()
    world.simulator.faults.add(
        {"match": {"method": "POST", "in_batch": True}, "kind": "status", "status": 400, "times": None}
    )
    for failures in (1, 2, 3, 4):
        await world.archive()
        assert await world.job() == (False, failures)
    await world.archive()
    assert await world.job() == (True, 5)


async def test_a_second_copy_with_the_same_key_is_reported_and_kept(world: World) -> None:
    await world.open([event("Twice", DAY)])
    await world.archive()
    copy = await world.copy("Twice")
    await world.add_to_archive(copy)
    async with world.database.session() as session:
        await session.execute(text("UPDATE archived_events SET state = 'creating', copy_id = NULL"))
        await session.execute(text("DELETE FROM archive_operations"))
    world.simulator.settings.update({"duplicate_transaction": "409", "existing_event_id_included": False})
    run = await world.request()
    report = await world.drive(run.id)
    assert report["archived"] == 1
    assert [problem.error_code for problem in (await world.view(run.id)).problems] == ["extra_copies"]
    assert len(await world.copies()) == 2


async def test_a_job_that_cannot_be_claimed_keeps_no_other_one_waiting(world: World) -> None:
    await world.open(week(1))
    await world.add_job()
    await world.add_broken_job()
    claimed = await world.archiving.claim_due_jobs()
    assert len(claimed) == 1
    assert await world.archiving.claim_due_jobs() == []


async def test_a_night_after_years_archives_one_longest_window_and_leaves_the_rest(world: World) -> None:
    await world.open([], archive_from=(DAY - timedelta(days=1000)).date())
    run = (await world.start_run(world.admin, None, None)).run
    assert timedelta(days=395) < run.window_end - run.window_start <= timedelta(days=401)
    await world.drive(run.id)
    following = (await world.start_run(world.admin, None, None)).run
    assert following.window_start < run.window_end < following.window_end


async def test_a_copy_that_found_its_source_again_does_not_count_as_orphaned(world: World) -> None:
    await world.open([event("Comes back", DAY, iCalUId="uid-1")])
    await world.archive()
    await world.delete((await world.source("Comes back"))["id"])
    assert (await world.archive())["source_deleted"] == 1
    await world.add(event("Comes back", DAY, iCalUId="uid-1"))
    assert (await world.archive())["repointed"] == 1
    async with world.database.session() as session:
        marked = await session.execute(text("SELECT source_deleted_at FROM appointments"))
        assert marked.scalars().all() == [None]
