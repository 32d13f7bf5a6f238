"""What cannot be read fails alone. A run that could read nothing says so (domain.md 2.12)."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from shared.database.models.users import User
from shared.graph.retry import RetryPolicy
from tests.integration.archiving.durable import RecordingClient
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_changes import NINE, daily, on
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.worker import tick
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
QUICK = RetryPolicy(attempts=2, first_delay=0.01, longest_delay=0.02)
WINDOW = DAY, DAY + timedelta(days=7)
FAILED_ONE = "completed_with_errors", 1


@pytest.fixture
def quick(world: World) -> World:
    """A world that does not wait long before it reads again."""
    world.retries = QUICK
    return world


def meetings(count: int = 12) -> list[dict[str, Any]]:
    """Meetings of one hour, one after the other."""
    return [event(f"Meeting {n}", NINE + n * HOUR) for n in range(count)]


async def gone(world: World) -> int:
    """Of how many copies the source is said to be gone."""
    (found,) = await world.rows("SELECT count(*) AS n FROM archived_events WHERE state = 'source_deleted'")
    return int(found["n"])


async def problems(world: World) -> list[tuple[str | None, str]]:
    """What the last run could not read: code and what is known of it."""
    (run,) = await world.rows("SELECT plan FROM archive_runs ORDER BY created_at DESC LIMIT 1")
    return [(each["code"], each["source_id"] or "") for each in run["plan"]["unreadable_events"]]


async def each_once(world: World, subjects: list[str]) -> None:
    """Every subject has one copy in the archive calendar, and nothing else stands there."""
    assert await world.subjects() == sorted(subjects)
    assert set((await world.copies_by_key()).values()) == {1}


async def test_a_corrupt_event_fails_alone_and_is_archived_when_it_can_be_read(quick: World) -> None:
    await quick.open(meetings())
    quick.fault("corrupt_event", "Meeting 5", properties=["body"])
    report = await quick.archive()
    assert (report["state"], report["failed"], report["archived"]) == (*FAILED_ONE, 11)
    assert adds_up(report)
    ((code, source),) = await problems(quick)
    assert (code, source) == ("ErrorCorruptData", (await quick.source("Meeting 5"))["id"])
    again = await quick.archive()
    assert (again["failed"], again["unchanged"], again["archived"]) == (1, 11, 0)
    quick.mend()
    report = await quick.archive()
    assert (report["state"], report["archived"], report["unchanged"]) == ("completed", 1, 11)
    await each_once(quick, [f"Meeting {n}" for n in range(12)])


@pytest.mark.parametrize("properties", [["body"], None], ids=["listed", "not listed"])
async def test_a_copy_whose_event_became_corrupt_stays_as_it_is(
    quick: World, properties: list[str] | None
) -> None:
    await quick.open(meetings())
    await quick.archive()
    before = await quick.copies()
    quick.fault("corrupt_event", "Meeting 5", properties=properties)
    report = await quick.archive()
    assert adds_up(report)
    assert (report["archived"], report["updated"], report["source_deleted"]) == (0, 0, 0)
    assert (report["unchanged"], report["failed"]) == (11, 1)
    assert (await gone(quick), await quick.copies()) == (0, before)
    quick.mend()
    assert (await quick.archive())["unchanged"] == 12
    assert await quick.copies() == before


@pytest.mark.parametrize("left_out", [["id"], ["id", "start"]], ids=["times known", "nothing known"])
async def test_in_a_slot_that_could_not_be_read_nothing_is_gone_and_nothing_matched(
    quick: World, left_out: list[str]
) -> None:
    await quick.open(meetings())
    await quick.archive()
    # Deleted and entered again: the copy would pass to the new event, were the slot known.
    await quick.delete((await quick.source("Meeting 3"))["id"])
    await quick.add(event("Broken", NINE + 3 * HOUR))
    quick.fault("malformed_event", "Broken", properties=left_out)
    report = await quick.archive()
    assert (report["state"], report["failed"]) == FAILED_ONE
    assert (report["source_deleted"], report["repointed"], await gone(quick)) == (0, 0, 0)
    assert [code for code, _ in await problems(quick)] == ["event_without_id"]
    quick.mend()
    report = await quick.archive()
    assert (report["state"], report["source_deleted"] + report["repointed"]) == ("completed", 1)


@pytest.mark.parametrize("left_out", [["id"], ["id", "start"]], ids=["times known", "nothing known"])
async def test_one_entered_again_where_something_cannot_be_read_waits(
    quick: World, left_out: list[str]
) -> None:
    await quick.open(meetings())
    await quick.archive()
    await quick.delete((await quick.source("Meeting 3"))["id"])
    await quick.add(event("Meeting 3", NINE + 3 * HOUR))
    await quick.add(event("Broken", NINE + 3 * HOUR))
    quick.fault("malformed_event", "Broken", properties=left_out)
    report = await quick.archive()
    assert (report["failed"], report["flagged"], report["archived"]) == (1, 1, 0)
    await each_once(quick, [f"Meeting {n}" for n in range(12)])
    quick.mend()
    report = await quick.archive()
    assert (report["repointed"], report["archived"]) == (1, 1)
    await each_once(quick, ["Broken", *(f"Meeting {n}" for n in range(12))])


async def test_an_event_without_times_fails_alone(quick: World) -> None:
    await quick.open(meetings())
    await quick.archive()
    quick.fault("malformed_event", "Meeting 5", properties=["end"])
    report = await quick.archive()
    assert (report["failed"], report["unchanged"], report["source_deleted"]) == (1, 11, 0)
    assert [code for code, _ in await problems(quick)] == ["event_without_times"]
    quick.mend()
    assert (await quick.archive())["unchanged"] == 12
    await each_once(quick, [f"Meeting {n}" for n in range(12)])


async def test_a_range_that_takes_too_long_is_archived_whole(quick: World) -> None:
    await quick.open([event(f"Meeting {n}", DAY + n * 4 * HOUR) for n in range(40)])
    quick.simulator.faults.add({"kind": "long_range", "longest_hours": 60, "times": None})
    report = await quick.archive()
    assert (report["state"], report["archived"]) == ("completed", 40)
    assert (await quick.archive())["unchanged"] == 40


async def test_a_duplicate_stays_merged_while_its_representative_cannot_be_read(quick: World) -> None:
    await quick.open([event("Twice", NINE), event("Twice", NINE), event("Other", NINE + 5 * HOUR)])
    report = await quick.archive()
    assert (report["archived"], report["merged"]) == (2, 1)
    (shown,) = await quick.rows("SELECT source_id FROM archived_events WHERE state = 'present' LIMIT 1")
    twins = [e["id"] for e in await quick.events("Calendar") if e["subject"] == "Twice"]
    (merged,) = await quick.rows("SELECT source_id FROM archived_events WHERE state = 'merged'")
    (first,) = set(twins) - {merged["source_id"]}
    assert shown
    quick.fault("corrupt_event", first, properties=["body"])
    report = await quick.archive()
    assert (report["merged"], report["failed"], report["unchanged"], adds_up(report)) == (1, 1, 1, True)
    assert len(await quick.copies()) == 2
    quick.mend()
    assert (await quick.archive())["merged"] == 1
    assert len(await quick.copies()) == 2


async def test_a_modification_stays_consumed_while_its_meeting_cannot_be_read(quick: World) -> None:
    await quick.open([event("Review", NINE), event("Extended", NINE + HOUR, 30)])
    await quick.archive()
    before = await quick.copies()
    quick.fault("corrupt_event", "Review", properties=["body"])
    report = await quick.archive()
    assert (report["failed"], report["consumed"], report["orphan_modifications"]) == (1, 1, 0)
    assert await quick.copies() == before


async def test_an_event_that_waits_for_a_decision_keeps_waiting_while_the_other_cannot_be_read(
    quick: World,
) -> None:
    await quick.open([event("Ours", NINE), event("Theirs", NINE + HOUR / 2)], overlap_policy="flag")
    assert (await quick.archive())["flagged"] == 2
    (group,) = await quick.groups()
    quick.fault("corrupt_event", "Theirs", properties=["body"])
    report = await quick.archive()
    assert (report["flagged"], report["failed"], report["archived"]) == (1, 1, 0)
    (still,) = await quick.groups()
    assert (still["id"], still["status"]) == (group["id"], "flagged")
    quick.mend()
    assert (await quick.archive())["flagged"] == 2
    # Its owner decided for one: the other stays left out, though that one cannot be read.
    await quick.drive(await quick.resolve(group["id"], "Theirs"))
    quick.fault("corrupt_event", "Theirs", properties=["body"])
    report = await quick.archive()
    assert (report["left_out"], report["failed"], report["archived"]) == (1, 1, 0)
    assert await quick.subjects() == ["Theirs"]
    quick.mend()
    report = await quick.archive()
    assert (report["left_out"], report["unchanged"]) == (1, 1)


async def test_an_exception_without_its_original_start_fails_alone(quick: World) -> None:
    await quick.open([daily("Standup"), event("Review", NINE + 2 * HOUR)])
    moved = event("x", NINE + 50 * HOUR, 30)
    third = (await on(quick, "2026-03-04"))["id"]
    await quick.edit(third, start=moved["start"], end=moved["end"], subject="Moved")
    quick.fault("malformed_event", "Moved", properties=["originalStart"])
    report = await quick.archive()
    assert (report["state"], report["failed"], report["archived"]) == (*FAILED_ONE, 5)
    assert adds_up(report)
    assert [code for code, _ in await problems(quick)] == ["no_original_start"]
    quick.mend()
    again = await quick.archive()
    assert (again["archived"], again["unchanged"], again["failed"]) == (1, 5, 0)
    assert set((await quick.copies_by_key()).values()) == {1}


@pytest.mark.parametrize("before", ["absent", "not_of_all_day"])
async def test_all_day_occurrences_are_archived_once_though_their_original_start_appears_later(
    world: World, before: str
) -> None:
    fair = event("Fair", NINE.replace(hour=0), 24 * 60, isAllDay=True, recurrence=daily("x", 4)["recurrence"])
    await world.open([fair])
    await world.simulate(original_starts=before)
    assert (await world.archive())["archived"] == 4
    await world.simulate(original_starts="given")
    assert (await world.archive())["unchanged"] == 4
    assert len(await world.copies()) == 4


async def test_what_stays_unreadable_is_told_once_and_pauses_no_job(quick: World) -> None:
    await quick.open(meetings(3))
    await quick.add_job()
    quick.fault("corrupt_event", "Meeting 1", properties=["body"])
    for _ in range(6):
        assert (await quick.archive(*WINDOW, by_system=True))["state"] == "completed_with_errors"
    assert await quick.job() == (False, 0)
    told = await quick.rows("SELECT class FROM notifications")
    assert [row["class"] for row in told] == ["run_failed"]
    # Another one is news.
    quick.fault("corrupt_event", "Meeting 2", properties=["body"])
    await quick.archive(*WINDOW, by_system=True)
    assert len(await quick.rows("SELECT class FROM notifications")) == 2


async def test_what_lies_before_the_nightly_window_is_read_again_for_thirty_days(
    workflow: World, client: RecordingClient
) -> None:
    """By a run of its own, in the same night (domain.md 2.2)."""
    await workflow.add(event("Meeting", NINE), event("Old", NINE - 24 * HOUR))
    await workflow.add_job()
    workflow.fault("malformed_event", "Old", properties=["end"])
    now = workflow.clock.now()
    await workflow.configure(archived_until=now, lookback_days=1)
    await workflow.archive(DAY - 2 * 24 * HOUR, DAY + 7 * 24 * HOUR)
    assert await days_read_again(workflow, client) == [(DAY - 24 * HOUR, DAY)]
    # Its time was read again, and it is open still.
    await workflow.drive((await workflow.rows("SELECT id FROM archive_runs WHERE kind = 'retry'"))[0]["id"])
    workflow.clock.advance(days=29)
    assert await days_read_again(workflow, client) == [(DAY - 24 * HOUR, DAY)] * 2
    workflow.mend()
    retry = "SELECT id FROM archive_runs WHERE kind = 'retry' AND state = 'queued'"
    report = await workflow.drive((await workflow.rows(retry))[0]["id"])
    assert (report["state"], report["archived"]) == ("completed", 1)
    workflow.clock.advance(days=1)
    assert len(await days_read_again(workflow, client)) == 2


async def days_read_again(world: World, client: RecordingClient) -> list[tuple[datetime, datetime]]:
    """A night begins: the windows of runs that only read again what could not be read, of all nights."""
    await world.rows("UPDATE jobs SET next_run_at = now() - interval '1 day' RETURNING id")
    await world.rows("UPDATE archive_runs SET state = 'cancelled' WHERE kind = 'nightly' RETURNING id")
    await tick(client)
    rows = await world.rows(
        "SELECT window_start, window_end FROM archive_runs WHERE kind = 'retry' ORDER BY created_at"
    )
    return [(row["window_start"], row["window_end"]) for row in rows]


async def test_a_run_whose_source_refuses_it_is_failed_and_owner_and_starter_are_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.open([event("Review", NINE)])
    assert world.admin.object_id is not None
    async with world.database.session() as session:
        owner = (await session.execute(select(User.id))).scalar_one()
        admin = User(
            tenant_id=world.tenant_id,
            object_id=world.admin.object_id,
            address="admin@example.test",
            display_name="Admin",
        )
        session.add(admin)
        await session.flush()
        starter = admin.id
    world.simulator.faults.add(
        {
            "match": {"method": "GET", "path_regex": "calendarView"},
            "kind": "status",
            "status": 403,
            "code": "ErrorAccessDenied",
        }
    )
    with caplog.at_level(logging.WARNING, logger="shared.services.archiving.finishing"):
        report = await world.archive()
    assert (report["state"], report["source"]) == ("failed", 0)
    assert report["reason"].startswith("ErrorAccessDenied")
    (run,) = await world.rows("SELECT id, plan FROM archive_runs")
    assert run["plan"]["code"] == "calendar_refused"
    (logged,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert str(run["id"]) in logged.getMessage()
    assert "ErrorAccessDenied" in logged.getMessage()
    told = await world.rows("SELECT owner_id, class, resource_id FROM notifications")
    assert {(row["owner_id"], row["class"], row["resource_id"]) for row in told} == {
        (owner, "run_failed", run["id"]),
        (starter, "run_failed", run["id"]),
    }


async def test_a_question_about_what_cannot_be_read_stays_open(quick: World) -> None:
    await quick.open([event("Review", NINE)])
    await quick.archive()
    await quick.delete((await quick.source("Review"))["id"])
    await quick.add(event("Review", NINE + timedelta(hours=5)))
    await quick.archive()
    (asked,) = await quick.open_items()
    quick.fault("corrupt_event", "Review", properties=["body"])
    await quick.archive()
    assert await quick.open_items() == [asked]
    assert [copy["start"]["dateTime"][11:16] for copy in await quick.copies()] == ["09:00"]
