"""The question about a changed series, from its first asking to its last write (domain.md 2.17)."""

from datetime import date, timedelta
from typing import Any

import pytest

from shared import telemetry
from shared.domain.planning.decision import Action
from shared.domain.runs.locked_periods import EVERY_CUSTOMER, LockedPeriod
from shared.errors import Conflict
from tests.integration.archiving.changed_series import (
    HOUR,
    KEEP,
    NINES,
    TAKE,
    TENS,
    answer,
    answering,
    counting,
    items,
    move,
    sides,
    the_item,
)
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_faults import INNER, PATCHED, name
from tests.integration.archiving.test_locked_periods import lock, reopen
from tests.integration.archiving.test_previews import preview
from tests.integration.archiving.test_same_meeting import (
    NINE,
    daily,
    master_of,
    nothing_more,
)
from tests.integration.archiving.world import DAY, World


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


@pytest.mark.parametrize(("by", "stays"), [(3, ["02 09:00", "05 09:00"]), (5, NINES[:2])])
@pytest.mark.parametrize("when", ["before the answer", "before its run"])
async def test_a_series_that_moves_again_before_it_is_taken_loses_no_meeting(
    world: World, by: int, stays: list[str], when: str
) -> None:
    await world.open([daily("Standup", count=2)])
    await world.archive()
    await move(world, 48 * HOUR)
    await world.archive()
    assert await sides(world) == {"archived": ["02 09", "03 09"], "new": ["04 09", "05 09"]}
    if when == "before the answer":
        await move(world, by * 24 * HOUR)
        await answer(world, TAKE)
    else:
        item = await the_item(world)
        with telemetry.bind(caller=world.admin, correlation="test"):
            await answering(world).answer(world.admin, item["id"], TAKE)
        await move(world, by * 24 * HOUR)
    await world.archive()
    # Each day that the owner was shown, and that the series shows no more, left a copy where it was.
    assert await counting(world) == stays
    item = await the_item(world)
    assert (item["status"], item["proposal"]) == ("open", "take_series")
    await nothing_more(world)
    await answer(world, TAKE)
    assert await counting(world) == [f"{day + by:02} 09:00" for day in (2, 3)]
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


async def taken_in_the_window_of_two_days(world: World) -> None:
    """A daily series moves by an hour. A run of its first two days asks, and its owner takes the series."""
    await world.open([daily("Standup")])
    await world.archive()
    await move(world, HOUR)
    await world.archive(DAY, DAY + timedelta(days=2))
    await answer(world, TAKE)


async def test_an_answer_holds_for_a_locked_day_of_another_window_until_it_is_reopened(world: World) -> None:
    await taken_in_the_window_of_two_days(world)
    lock_id = await lock(world, LockedPeriod(EVERY_CUSTOMER, date(2026, 3, 5), date(2026, 3, 6)))
    for _ in range(2):
        assert (await world.archive())["locked"] == 1
        assert (await the_item(world))["status"] == "answered"
    assert await counting(world) == [*TENS[:3], NINES[3], TENS[4]]
    await reopen(world, lock_id)
    await world.archive()
    assert await counting(world) == TENS
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


async def test_an_answer_holds_for_a_day_of_another_window_whose_write_failed(world: World) -> None:
    await taken_in_the_window_of_two_days(world)
    world.simulator.faults.add({"match": PATCHED, "kind": "status", "status": 400, "code": "ErrorInvalid"})
    assert (await world.archive())["failed"] == 1
    await world.archive()
    assert (await the_item(world))["status"] == "answered"
    assert await counting(world) == TENS
    await nothing_more(world)
