"""A changed series is asked about once, and its owner's answer holds (domain.md 2.17).

Judged by the calendar: which copies count, minute by minute, and by the hours that our record counts.
"""

import pytest

from shared.domain.action_items.items import Answer
from shared.domain.runs.archive_run import RunMode
from tests.integration.archiving.changed_series import (
    HOUR,
    KEEP,
    NINES,
    TAKE,
    TENS,
    answer,
    counting,
    items,
    move,
    reset,
    sides,
    the_item,
)
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_same_meeting import (
    NINE,
    daily,
    master_of,
    nothing_more,
    on,
    recurrence,
)
from tests.integration.archiving.world import DAY, World


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


async def test_a_copy_that_was_dragged_onto_a_day_is_that_of_the_moved_series_there(world: World) -> None:
    every_second = daily("Standup", count=3)
    every_second["recurrence"]["pattern"]["interval"] = 2
    await world.open([every_second])
    dragged = event("x", NINE + 78 * HOUR, 45)
    await world.edit((await on(world, "2026-03-04"))["id"], start=dragged["start"], end=dragged["end"])
    await world.archive()
    before = ["02 09:00", "05 15:00", "06 09:00"]
    assert await counting(world) == before
    await move(world, 24 * HOUR)
    # The question about the series covers the new day. The plan asks no second question about that day.
    assert (await world.archive())["archived"] == 0
    assert await sides(world) == {
        "archived": ["02 09", "05 15", "06 09"],
        "new": ["03 09", "05 09", "07 09"],
    }
    assert await counting(world) == before
    report = await answer(world, TAKE)
    assert report is not None
    assert (report["repointed"], report["archived"], report["superseded"]) == (1, 2, 2)
    assert await counting(world) == ["03 09:00", "05 09:00", "07 09:00"]
    await nothing_more(world)


@pytest.mark.parametrize("mode", [RunMode.NORMAL, RunMode.REPLACE])
async def test_what_waits_without_copies_follows_its_series_to_other_days(
    world: World, mode: RunMode
) -> None:
    every_second = daily("Standup", count=3)
    every_second["recurrence"]["pattern"]["interval"] = 2
    await world.open([every_second, event("Visit", DAY, 6 * 24 * 60)], overlap_policy="flag")
    dragged = event("x", NINE + 78 * HOUR, 45)
    await world.edit((await on(world, "2026-03-04"))["id"], start=dragged["start"], end=dragged["end"])
    assert (await world.archive())["flagged"] == 4
    await move(world, 24 * HOUR)
    report = await world.drive((await world.start_run(world.admin, DAY, DAY + 168 * HOUR, mode)).run.id)
    # Nobody is asked, because nothing of the series was archived.
    assert (report["repointed"], report["flagged"], adds_up(report)) == (3, 4, True)
    assert await items(world) == []
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"]))
    copies = [copy for copy in await world.copies() if copy["subject"] == "Standup"]
    assert sorted(copy["start"]["dateTime"][8:13] for copy in copies) == ["03T09", "05T09", "07T09"]
    await nothing_more(world)


@pytest.mark.parametrize(
    ("given", "days"), [(KEEP, ["02T09", "03T09", "05T09"]), (TAKE, ["03T09", "05T09", "07T09"])]
)
async def test_of_a_series_that_waits_in_part_the_archived_part_is_asked_about(
    world: World, given: Answer, days: list[str]
) -> None:
    every_second = daily("Standup", count=3)
    every_second["recurrence"]["pattern"]["interval"] = 2
    visit = event("Visit", DAY + 36 * HOUR, 4 * 24 * 60)
    await world.open([every_second, visit], overlap_policy="flag")
    assert (await world.archive())["flagged"] == 3
    await move(world, 24 * HOUR)
    assert (await world.archive())["repointed"] == 2
    assert await sides(world) == {"archived": ["02 09"], "new": ["07 09"]}
    await answer(world, given)
    for group in await world.groups():
        if group["status"] == "flagged":
            await world.drive(await world.resolve(group["id"]))
    copies = [copy for copy in await world.copies() if copy["subject"] == "Standup"]
    counted = [copy["start"]["dateTime"][8:13] for copy in copies if copy["showAs"] != "free"]
    assert sorted(counted) == days
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


async def test_an_occurrence_deleted_alone_asks_nothing_and_stays(world: World) -> None:
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
