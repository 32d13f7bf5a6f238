"""A changed series is asked about once, and its owner's answer holds (domain.md 2.17).

Judged by the calendar: which copies count, minute by minute, and by the hours that our record counts.
"""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import RowMapping

from shared import telemetry
from shared.database.counting import why_not_sql
from shared.domain.action_items import Answer
from shared.domain.archive_plan import Action
from shared.domain.locked_periods import EVERY_CUSTOMER, LockedPeriod
from shared.errors import Conflict
from shared.services.answering import ActionItemAnswering
from shared.services.archiving.context import ArchivingPorts
from tests.integration.archiving.test_faults import INNER, PATCHED, name
from tests.integration.archiving.test_locked_periods import lock, reopen
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_previews import preview
from tests.integration.archiving.test_same_meeting import (
    NINE,
    daily,
    master_of,
    nothing_more,
    on,
    recurrence,
)
from tests.integration.archiving.test_superseding import is_superseded
from tests.integration.archiving.world import DAY, World, event

HOUR = timedelta(hours=1)
KEEP, TAKE = Answer.KEEP_ARCHIVED, Answer.TAKE_SERIES


async def items(world: World) -> list[RowMapping]:
    """The questions that were asked, oldest first."""
    return await world.rows("SELECT * FROM action_items ORDER BY opened_at, id")


async def the_item(world: World) -> RowMapping:
    """The one question there is."""
    (item,) = await items(world)
    assert (item["kind"], item["question"]) == ("series_reset", "series_changed")
    return item


async def sides(world: World) -> dict[str, list[str]]:
    """Day and hour of what the item shows on each side."""
    shown: dict[str, list[str]] = {"archived": [], "new": []}
    for row in await world.rows("SELECT side, start_at FROM action_item_events ORDER BY start_at"):
        shown[row["side"]].append(f"{row['start_at']:%d %H}")
    return shown


def answering(world: World) -> ActionItemAnswering:
    return ActionItemAnswering(
        ArchivingPorts(world.database, world.calendars, world.clock, world.settings, world.person_keys)
    )


async def answer(world: World, given: Answer) -> dict[str, Any] | None:
    """Answer the open question; the report of the run that carries it out."""
    (item,) = [each for each in await items(world) if each["status"] == "open"]
    with telemetry.bind(caller=world.admin, correlation="test"):
        answered = await answering(world).answer(world.admin, item["id"], given)
    return None if answered.run_id is None else await world.drive(answered.run_id)


async def counting(world: World) -> list[str]:
    """Day and time of the copies that count; no two of them share a minute, and our record says the same."""
    copies = [copy for copy in await world.copies() if not is_superseded(copy)]
    spans = sorted(
        (datetime.fromisoformat(copy["start"]["dateTime"][:19]), _end(copy))
        for copy in copies
        if copy["showAs"] != "free"
    )
    minutes = [
        start + n * timedelta(minutes=1)
        for start, end in spans
        for n in range(int((end - start).total_seconds() // 60))
    ]
    assert len(minutes) == len(set(minutes)), "a minute is covered twice"
    sql = f"""
        SELECT COALESCE(sum(extract(epoch FROM a.end_at - a.start_at)) / 60, 0) AS minutes
          FROM appointments a JOIN archived_events e ON e.id = a.archived_event_id
         WHERE {why_not_sql("a", "e")} IS NULL
    """  # noqa: S608
    (recorded,) = await world.rows(sql)
    assert int(recorded["minutes"]) == len(minutes)
    return [f"{start:%d %H:%M}" for start, _ in spans]


def _end(copy: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(copy["end"]["dateTime"][:19])


async def move(world: World, by: timedelta, subject: str = "Standup") -> None:
    """Move the whole series."""
    to = event("x", NINE + by, 15)
    await world.edit(await master_of(world, subject), start=to["start"], end=to["end"])


NINES = [f"{day:02} 09:00" for day in range(2, 7)]
TENS = [f"{day:02} 10:00" for day in range(2, 7)]


async def test_a_series_moved_by_an_hour_asks_once_and_keeps(world: World) -> None:
    await world.open([daily("Standup"), event("Other", NINE + 5 * HOUR, 15)])
    await world.archive()
    assert await items(world) == []
    await move(world, HOUR)
    report = await world.archive()
    assert (report["unchanged"], adds_up(report)) == (6, True)
    assert await sides(world) == {
        "archived": ["02 09", "03 09", "04 09", "05 09", "06 09"],
        "new": ["02 10", "03 10", "04 10", "05 10", "06 10"],
    }
    version = (await the_item(world))["version"]
    await nothing_more(world)
    assert (await the_item(world))["version"] == version
    assert await answer(world, KEEP) is None
    await nothing_more(world)
    assert (await the_item(world))["status"] == "answered"
    assert await counting(world) == sorted([*NINES, "02 14:00"])


async def test_a_series_moved_by_an_hour_is_taken(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    copies = {copy["id"] for copy in await world.copies()}
    await move(world, HOUR)
    await world.archive()
    report = await answer(world, TAKE)
    assert report is not None
    assert (report["updated"], report["superseded"], report["state"]) == (5, 0, "completed")
    assert await counting(world) == TENS
    assert {copy["id"] for copy in await world.copies()} == copies
    item = await the_item(world)
    assert (item["status"], item["due_at"], item["carried_out_at"] is not None) == ("answered", None, True)
    await nothing_more(world)


async def test_a_series_moved_by_a_day_is_taken_by_date(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, 24 * HOUR)
    await world.archive()
    assert await counting(world) == NINES[:3]
    assert await sides(world) == {"archived": ["02 09"], "new": ["05 09"]}
    report = await answer(world, TAKE)
    assert report is not None
    assert (report["archived"], report["superseded"], adds_up(report)) == (1, 1, True)
    assert await counting(world) == NINES[1:4]
    assert len(await world.copies()) == 4
    await nothing_more(world)


async def test_a_series_moved_by_a_day_and_an_hour_is_taken_and_moved_back(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, 25 * HOUR)
    await world.archive()
    await answer(world, TAKE)
    assert await counting(world) == TENS[1:4]
    await move(world, 0 * HOUR)
    await world.archive()
    # The series changed again: what is archived stays until its owner is asked again.
    assert await counting(world) == TENS[1:4]
    item = await the_item(world)
    assert (item["status"], item["proposal"]) == ("open", "take_series")
    await answer(world, TAKE)
    assert await counting(world) == NINES[:3]
    await nothing_more(world)


async def test_a_changed_pattern_is_taken(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    changed = recurrence(NINE, 3)
    changed["pattern"]["interval"] = 2
    await world.edit(await master_of(world), recurrence=changed)
    await world.archive()
    assert await sides(world) == {"archived": ["03 09"], "new": ["06 09"]}
    await answer(world, TAKE)
    assert await counting(world) == [NINES[0], NINES[2], NINES[4]]
    await nothing_more(world)


async def test_a_split_that_moves_is_one_question_about_the_new_series(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    await world.edit(await master_of(world), recurrence=recurrence(NINE, 2))
    await world.add(daily("Standup", NINE + 49 * HOUR, 3))
    report = await world.archive()
    assert report["repointed"] == 3
    assert await counting(world) == NINES
    assert await sides(world) == {"archived": ["04 09", "05 09", "06 09"], "new": ["04 10", "05 10", "06 10"]}
    await nothing_more(world)
    await answer(world, TAKE)
    assert await counting(world) == [*NINES[:2], *TENS[2:]]
    await nothing_more(world)


async def test_a_split_that_moves_by_a_day_takes_the_dates_of_its_predecessor_along(world: World) -> None:
    await world.open([daily("Standup", count=4)])
    await world.archive()
    await world.edit(await master_of(world), recurrence=recurrence(NINE, 2))
    await world.add(daily("Standup", NINE + 72 * HOUR, 2))
    await world.archive()
    assert await counting(world) == NINES[:4]
    assert await sides(world) == {"archived": ["04 09"], "new": ["06 09"]}
    await answer(world, TAKE)
    assert await counting(world) == [*NINES[:2], *NINES[3:]]
    await nothing_more(world)


async def reset(world: World) -> None:
    """An exception and a deleted occurrence are archived; then the series is reset to what it was."""
    await world.open([daily("Standup")])
    moved = event("x", NINE + 50 * HOUR, 45)
    wednesday = (await on(world, "2026-03-04"))["id"]
    await world.edit(wednesday, start=moved["start"], end=moved["end"], subject="Long standup")
    await world.delete((await on(world, "2026-03-05"))["id"])
    await world.archive()
    assert await counting(world) == [*NINES[:2], "04 11:00", NINES[4]]
    master = await master_of(world)
    changed = recurrence(NINE, 5)
    changed["pattern"]["interval"] = 2
    await world.edit(master, recurrence=changed)
    await world.edit(master, recurrence=recurrence(NINE, 5))
    await world.archive()


async def test_exceptions_that_were_reset_are_kept(world: World) -> None:
    await reset(world)
    assert await sides(world) == {"archived": ["04 11"], "new": ["04 09", "05 09"]}
    await answer(world, KEEP)
    await nothing_more(world)
    assert await counting(world) == [*NINES[:2], "04 11:00", NINES[4]]


async def test_exceptions_that_were_reset_are_taken(world: World) -> None:
    await reset(world)
    await answer(world, TAKE)
    assert await counting(world) == NINES
    assert set(await world.subjects()) == {"Standup"}
    await nothing_more(world)


async def test_a_change_of_texts_asks_nothing(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    await world.edit(await master_of(world), subject="Daily", categories=["Acme - billable"])
    assert (await world.archive())["updated"] == 5
    assert await items(world) == []


async def test_an_occurrence_deleted_by_itself_asks_nothing_and_stays(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    await world.delete((await on(world, "2026-03-05"))["id"])
    await world.archive()
    assert await items(world) == []
    await move(world, HOUR)
    await world.archive()
    await answer(world, TAKE)
    # Moving the series brings the deleted date back.
    assert await counting(world) == TENS
    await world.delete((await on(world, "2026-03-06"))["id"])
    await world.archive()
    assert await counting(world) == TENS
    assert (await the_item(world))["status"] == "answered"
    await nothing_more(world)


async def test_a_series_moved_back_closes_the_question(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    await move(world, HOUR)
    await world.archive()
    await move(world, 0 * HOUR)
    await world.archive()
    item = await the_item(world)
    assert (item["status"], item["closed_reason"]) == ("closed", "settled_itself")
    assert await counting(world) == NINES
    await nothing_more(world)


async def test_what_was_answered_is_asked_again_when_the_series_changes_again(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    await move(world, HOUR)
    await world.archive()
    await answer(world, KEEP)
    await move(world, 2 * HOUR)
    await world.archive()
    item = await the_item(world)
    assert (item["status"], item["proposal"]) == ("open", "keep_archived")
    assert (await sides(world))["new"][0] == "02 11"
    await nothing_more(world)


async def test_one_question_whatever_the_windows_and_one_answer_for_all(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    await move(world, HOUR)
    for day in range(3):
        await world.archive(DAY + timedelta(days=day), DAY + timedelta(days=day + 1))
    assert (await sides(world))["new"] == ["02 10", "03 10", "04 10"]
    await answer(world, TAKE)
    assert await counting(world) == [*TENS[:3], *NINES[3:]]
    # More of the same change: nobody is asked, the answer holds.
    await world.archive()
    assert await counting(world) == TENS
    assert (await the_item(world))["status"] == "answered"
    await nothing_more(world)


async def test_an_answer_is_due_until_a_run_took_all_of_it(
    world: World,
) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    await move(world, HOUR)
    await world.archive()
    item = await the_item(world)
    with telemetry.bind(caller=world.admin, correlation="test"):
        answered = await answering(world).answer(world.admin, item["id"], TAKE)
    await world.archive(DAY, DAY + timedelta(days=1))
    assert (await the_item(world))["due_at"] is not None
    assert answered.run_id is not None
    await world.drive(answered.run_id)
    await world.archive()
    assert (await the_item(world))["due_at"] is None
    assert await counting(world) == TENS


async def test_without_an_answer_what_is_archived_stays(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    await move(world, HOUR)
    await world.archive()
    world.clock.advance(days=31)
    assert await answering(world).expire_due() == []
    item = await the_item(world)
    assert (item["status"], item["answer"]) == ("expired", "keep_archived")
    await nothing_more(world)
    assert await counting(world) == NINES


async def test_replacing_takes_the_source_and_closes_the_question(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, 25 * HOUR)
    await world.archive()
    report = await world.replace()
    assert (report["updated"], report["archived"], report["superseded"]) == (2, 1, 1)
    assert await counting(world) == TENS[1:4]
    item = await the_item(world)
    assert (item["status"], item["closed_reason"]) == ("closed", "source_taken")
    await nothing_more(world)


async def test_replacing_asks_nothing_where_nobody_was_asked_before(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, 25 * HOUR)
    await world.replace()
    assert await items(world) == []
    assert await counting(world) == TENS[1:4]
    await nothing_more(world)


@pytest.mark.parametrize("trouble", [INNER[1], {"kind": "lost_answer"}], ids=name)
async def test_trouble_while_a_series_is_taken(world: World, trouble: dict[str, Any]) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, 25 * HOUR)
    await world.archive()
    world.simulator.faults.add({"match": PATCHED, "times": 4, **trouble})
    await answer(world, TAKE)
    assert await counting(world) == TENS[1:4]
    await nothing_more(world)


async def test_a_plan_that_is_made_again_asks_and_takes_the_same(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, 25 * HOUR)
    run = await world.request()
    world.simulator.faults.add(
        {"match": {"method": "GET", "path_regex": "calendarView"}, "kind": "drop_before"}
    )
    await world.drive(run.id)
    item = await the_item(world)
    await answer(world, TAKE)
    with telemetry.bind(caller=world.admin, correlation="test"), pytest.raises(Conflict):
        await answering(world).answer(world.admin, item["id"], KEEP)
    assert await counting(world) == TENS[1:4]


async def test_a_dry_run_says_what_would_be_asked_and_taken(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, 25 * HOUR)
    planned = await preview(world)
    assert (planned.series_questions, planned.superseded) == (1, 0)
    assert planned.counts == {Action.UNCHANGED: 2, Action.LEAVE_OUT: 1}
    assert await items(world) == []
    await world.archive()
    assert (await preview(world)).series_questions == 0
    item = await the_item(world)
    with telemetry.bind(caller=world.admin, correlation="test"):
        answered = await answering(world).answer(world.admin, item["id"], TAKE)
    planned = await preview(world)
    assert (planned.series_questions, planned.superseded) == (0, 1)
    assert planned.counts == {Action.UPDATE: 2, Action.CREATE: 1}
    assert answered.run_id is not None
    report = await world.drive(answered.run_id)
    assert (report["updated"], report["archived"], report["superseded"]) == (2, 1, 1)
    planned = await preview(world)
    assert (planned.superseded, planned.counts) == (0, {Action.UNCHANGED: 3})


async def test_a_locked_period_keeps_what_it_holds_until_it_is_reopened(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, 25 * HOUR)
    await world.archive()
    lock_id = await lock(world, LockedPeriod(EVERY_CUSTOMER, date(2026, 3, 2), date(2026, 3, 4)))
    report = await answer(world, TAKE)
    assert report is not None
    assert (report["locked"], report["updated"], report["archived"], report["superseded"]) == (1, 1, 1, 0)
    assert await counting(world) == [*NINES[:2], *TENS[2:4]]
    await reopen(world, lock_id)
    await world.archive()
    assert await counting(world) == TENS[1:4]
    await nothing_more(world)


async def test_a_copy_that_its_owner_edited_is_not_overwritten(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    (wednesday,) = [c for c in await world.copies() if c["start"]["dateTime"].startswith("2026-03-04")]
    await world.edit(wednesday["id"], subject="Standup with guests")
    await move(world, HOUR)
    await world.archive()
    report = await answer(world, TAKE)
    assert report is not None
    assert (report["conflict"], report["updated"]) == (1, 4)
    assert await counting(world) == [*TENS[:2], NINES[2], *TENS[3:]]
    assert "Standup with guests" in await world.subjects()


async def test_two_series_are_two_questions_with_an_answer_each(world: World) -> None:
    await world.open([daily("Standup"), daily("Review", NINE + 6 * HOUR)])
    await world.archive()
    for subject, start in (("Standup", NINE), ("Review", NINE + 6 * HOUR)):
        to = event("x", start + HOUR, 15)
        await world.edit(await master_of(world, subject), start=to["start"], end=to["end"])
    await world.archive()
    first, second = await items(world)
    with telemetry.bind(caller=world.admin, correlation="test"):
        await answering(world).answer(world.admin, first["id"], KEEP)
        await answering(world).answer(world.admin, second["id"], TAKE)
    await world.archive()
    kept = first["series"]["id"] == await master_of(world)
    hours = {"Standup": "09" if kept else "10", "Review": "16" if kept else "15"}
    assert {(copy["subject"], copy["start"]["dateTime"][11:13]) for copy in await world.copies()} == set(
        hours.items()
    )
    await nothing_more(world)


async def test_a_write_that_fails_leaves_the_answer_due_until_it_is_made(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await move(world, HOUR)
    await world.archive()
    world.simulator.faults.add({"match": PATCHED, "kind": "status", "status": 400, "code": "ErrorInvalid"})
    await answer(world, TAKE)
    assert (await the_item(world))["due_at"] is not None
    await world.archive()
    assert (await the_item(world))["due_at"] is None
    assert await counting(world) == TENS[:3]
