"""Calendars of our own are archived from and into as Graph's are: exactly once (domain.md 1, 2.2 to 2.6)."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from shared.domain.copies.archive_copy import transaction_id
from shared.domain.events.source_event import archive_key
from tests.integration.archiving.world import DAY
from tests.integration.calendars.world import Fault, HostKilledError, LocalWorld, Side

SIDES: list[tuple[Side, Side]] = [("local", "msgraph"), ("msgraph", "local"), ("local", "local")]
DAYS = [(f"Meeting {n:02}", DAY + timedelta(hours=n), 30) for n in range(45)]


@pytest.mark.parametrize(("source", "archive"), SIDES)
async def test_every_event_is_archived_once_and_a_second_run_writes_nothing(
    world: LocalWorld, source: Side, archive: Side
) -> None:
    await world.open_with(source, archive, DAYS)
    first = await world.archive()
    assert (first["state"], first["source"], first["archived"]) == ("completed", 45, 45)
    assert await world.archived(archive) == [subject for subject, _, _ in DAYS]
    sent, writes = world.local.sent, world.counts()["writes"]
    second = await world.archive()
    assert (second["archived"], second["updated"], second["unchanged"]) == (0, 0, 45)
    assert (world.local.sent, world.counts()["writes"]) == (sent, writes)
    if archive == "local":
        rows = await world.local_events("Record")
        assert len({row.archive_key for row in rows}) == 45
        assert all(row.archive_source and row.archive_revision for row in rows)


@pytest.mark.parametrize("archive", ["msgraph", "local"])
async def test_a_changed_local_event_updates_its_copy_and_a_deleted_one_keeps_it(
    world: LocalWorld, archive: Side
) -> None:
    await world.open_with("local", archive, [("Stays", DAY + timedelta(hours=5), 60)])
    changed = await world.write("Draft", DAY, categories=["Acme - billable"])
    gone = await world.write("Gone", DAY + timedelta(hours=2))
    await world.archive()
    await world.rewrite("Diary", changed, subject="Final", end=DAY + timedelta(hours=2))
    await world.strike("Diary", gone)
    report = await world.archive()
    assert (report["updated"], report["unchanged"], report["source_deleted"]) == (1, 1, 1)
    assert await world.archived(archive) == ["Final", "Gone", "Stays"]
    again = await world.archive()
    assert (again["updated"], again["archived"]) == (0, 0)


async def test_a_changed_event_of_the_mailbox_updates_its_local_copy(world: LocalWorld) -> None:
    await world.open_with("msgraph", "local", [("Draft", DAY, 60)])
    await world.archive()
    (before,) = await world.local_events("Record")
    await world.edit((await world.source("Draft"))["id"], subject="Final")
    assert (await world.archive())["updated"] == 1
    (after,) = await world.local_events("Record")
    assert (after.id, after.subject, after.version) == (before.id, "Final", 2)
    assert after.archive_key == before.archive_key
    assert after.archive_revision != before.archive_revision


async def test_a_copy_that_its_owner_edited_is_not_overwritten_and_a_deleted_one_not_made_again(
    world: LocalWorld,
) -> None:
    await world.open_with("local", "local")
    edited = await world.write("Edited", DAY)
    deleted = await world.write("Deleted", DAY + timedelta(hours=2))
    await world.archive()
    copies = {row.subject: row.id for row in await world.local_events("Record")}
    await world.rewrite("Record", copies["Edited"], subject="My own words")
    await world.strike("Record", copies["Deleted"])
    await world.rewrite("Diary", edited, location="Room 2")
    await world.rewrite("Diary", deleted, location="Room 2")
    report = await world.archive()
    assert (report["conflict"], report["updated"]) == (2, 0)
    assert await world.archived("local") == ["My own words"]


async def test_a_copy_keeps_everything_that_a_copy_carries(world: LocalWorld) -> None:
    await world.open_with("local", "local")
    start = datetime(2026, 3, 3, 8, tzinfo=UTC)
    await world.write(
        "Review",
        start,
        body="<p>Notes</p>",
        body_type="html",
        start_zone="W. Europe Standard Time",
        location="Room 4",
        categories=["Acme - billable", "Online"],
        show_as="tentative",
        importance="high",
        sensitivity="private",
    )
    await world.write("Fair", DAY, 24 * 60, is_all_day=True, start_zone="Asia/Tokyo")
    await world.archive()
    fair, review = await world.local_events("Record")
    assert (review.start_at, review.end_at) == (start, start + timedelta(hours=1))
    assert (review.start_zone, review.end_zone) == ("W. Europe Standard Time", "W. Europe Standard Time")
    assert (review.body, review.body_type, review.location) == ("<p>Notes</p>", "html", "Room 4")
    assert review.categories == ["Acme - billable", "Online"]
    assert (review.show_as, review.importance, review.sensitivity) == ("tentative", "high", "private")
    assert fair.is_all_day
    assert (fair.start_at, fair.end_at) == (DAY, DAY + timedelta(days=1))
    assert fair.start_zone == "Asia/Tokyo"


async def test_the_window_is_half_open_and_pages_follow_each_other(
    world: LocalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.services.calendars.local_calendar_store.PAGE_SIZE", 4)
    end = DAY + timedelta(days=1)
    edge = [("Ends at its start", DAY - timedelta(hours=1), 60), ("Starts at its end", end, 30)]
    same = [(f"Same moment {n}", DAY + timedelta(hours=3), 30) for n in range(9)]
    inside = [("Across its start", DAY - timedelta(minutes=10), 30), ("At its start", DAY, 0)]
    await world.open_with("local", "msgraph", [*edge, *same, *inside])
    async with world.archiving.acting_for((await world.request()).id):
        pages = [
            page
            async for page in world.stores.read_window(str(world.person_id), world.ids["Diary"], DAY, end)
        ]
    assert [len(page) for page in pages[:-1]] == [4, 4]
    read = [event for page in pages for event in page]
    assert [event.start for event in read] == sorted(event.start for event in read)
    assert sorted(event.subject for event in read) == sorted(subject for subject, _, _ in [*same, *inside])


@pytest.mark.parametrize("source", ["msgraph", "local"])
@pytest.mark.parametrize("fault", ["before the commit", "after the commit", "killed"])
async def test_a_send_whose_connection_breaks_doubles_nothing_and_loses_nothing(
    world: LocalWorld, source: Side, fault: Fault
) -> None:
    await world.open_with(source, "local", DAYS[:25])
    run = await world.request()
    world.local.next_fault = fault
    try:
        report = await world.drive(run.id)
    except HostKilledError:
        # Nobody gave the lease back; a worker of another process comes when it has run out.
        world.clock.advance(seconds=world.settings.mailbox_lease_seconds + 1)
        report = await world.drive(run.id, world.service())
    assert report["state"] == "completed"
    assert report["archived"] == 25
    assert await world.archived("local") == [subject for subject, _, _ in DAYS[:25]]
    assert (await world.archive())["unchanged"] == 25


@pytest.mark.parametrize("fault", ["before the commit", "after the commit", "killed"])
async def test_an_update_whose_connection_breaks_is_made_once(world: LocalWorld, fault: Fault) -> None:
    await world.open_with("local", "local")
    event = await world.write("Draft", DAY)
    await world.archive()
    await world.rewrite("Diary", event, subject="Final")
    run = await world.request()
    world.local.next_fault = fault
    try:
        report = await world.drive(run.id)
    except HostKilledError:
        world.clock.advance(seconds=world.settings.mailbox_lease_seconds + 1)
        report = await world.drive(run.id, world.service())
    assert (report["updated"], report["conflict"]) == (1, 0)
    (copy,) = await world.local_events("Record")
    assert (copy.subject, copy.version) == ("Final", 2)


async def test_a_write_that_comes_late_finds_its_transaction_used(world: LocalWorld) -> None:
    await world.open_with("local", "local", DAYS[:3])
    await world.archive()
    rows = await world.local_events("Record")
    keys = {
        archive_key(world.configuration_id, f"s:local:{row.id}") for row in await world.local_events("Diary")
    }
    assert {row.transaction_id for row in rows} == {
        transaction_id(world.configuration_id, key, 0) for key in keys
    }


async def test_an_archive_calendar_that_is_gone_fails_the_run_and_writes_nothing(
    world: LocalWorld,
) -> None:
    await world.open_with("local", "local", DAYS[:3])
    async with world.database.session() as session:
        await session.execute(text("DELETE FROM local_calendars WHERE name = 'Record'"))
    report = await world.archive()
    assert (report["state"], report["source"]) == ("failed", 0)
    assert "does not exist" in report["reason"]
    assert world.local.sent == 0
