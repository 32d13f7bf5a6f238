"""A duplicate keeps the one copy whatever becomes of its representative (domain.md 2.9, 2.16)."""

from datetime import datetime
from typing import Any

import pytest

from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_same_meeting import (
    HOUR,
    NINE,
    archive_days,
    days_from_now,
    nothing_more,
    recurrence,
    starts,
)
from tests.integration.archiving.world import World


async def test_a_duplicate_that_is_used_again_while_its_representative_vanishes_is_new_there(
    world: World,
) -> None:
    took_place, next_week = days_from_now(world, -2), days_from_now(world, 5)
    await world.open([event("Review", took_place), event("Review", took_place)])
    await archive_days(world, -3, 0)
    (merged,) = await world.rows("SELECT source_id, merged_into FROM archived_events WHERE state = 'merged'")
    later = event("x", next_week)
    await world.edit(merged["source_id"], start=later["start"], end=later["end"])
    await world.delete(merged["merged_into"].removeprefix("s:"))
    assert (await archive_days(world, -3, 7))["archived"] == 1
    assert await starts(world) == [f"{each:%Y-%m-%dT%H:%M}" for each in (took_place, next_week)]
    assert (await archive_days(world, -3, 7))["archived"] == 0


async def test_a_representative_that_becomes_a_series_keeps_its_copy(world: World) -> None:
    await world.open([event("Review", NINE), event("Review", NINE)])
    await world.archive()
    (merged,) = await world.rows("SELECT merged_into FROM archived_events WHERE state = 'merged'")
    await world.edit(merged["merged_into"].removeprefix("s:"), recurrence=recurrence(NINE, 2))
    report = await world.archive()
    assert (report["repointed"], report["archived"], report["merged"], adds_up(report)) == (1, 1, 1, True)
    assert await starts(world) == ["2026-03-02T09:00", "2026-03-03T09:00"]
    await nothing_more(world)


@pytest.mark.parametrize("policy", ["keep_all", "flag"])
@pytest.mark.parametrize("archived_before", [False, True])
async def test_a_duplicate_of_an_archived_event_is_no_other_meeting_of_its_subject(
    world: World, *, archived_before: bool, policy: str
) -> None:
    calls = [event("Call", NINE + hours * HOUR, 15) for hours in (0, 1)]
    await world.open(calls, overlap_policy=policy)
    await world.archive()
    rows = await world.rows("SELECT source_id FROM archived_events ORDER BY start_at DESC")
    for row in rows[: 1 if archived_before else 2]:
        await world.delete(row["source_id"])
    for _ in range(1 if archived_before else 2):
        await world.add(calls[0])
    report = await world.archive()
    assert (report["archived"], report["merged"], adds_up(report)) == (0, 1, True)
    assert await world.rows("SELECT id FROM action_items") == []
    assert await starts(world) == ["2026-03-02T09:00", "2026-03-02T10:00"]
    await nothing_more(world)


async def test_a_duplicate_keeps_the_copy_of_its_representative_that_is_dragged_on(world: World) -> None:
    took_place = days_from_now(world, -2)
    await world.open([event("Review", took_place), event("Review", took_place)])
    await archive_days(world, -3, 0)
    (copy,) = await world.copies()
    (representative,) = await world.rows("SELECT source_id FROM archived_events WHERE copy_id IS NOT NULL")
    later = event("x", days_from_now(world, 5))
    await world.edit(representative["source_id"], start=later["start"], end=later["end"])
    report = await archive_days(world, -3, 0)
    assert (report["source"], report["archived"]) == (1, 0)
    assert [each["id"] for each in await world.copies()] == [copy["id"]]
    world.clock.advance(days=7)
    assert (await archive_days(world, -3, 0))["archived"] == 1
    assert len(await world.copies()) == 2


async def test_a_duplicate_keeps_the_copy_of_its_representative_that_went_to_another_calendar(
    world: World,
) -> None:
    await world.open([event("Review", NINE), event("Review", NINE)])
    await world.archive()
    keys = await world.copies_by_key()
    (representative,) = await world.rows("SELECT source_id FROM archived_events WHERE copy_id IS NOT NULL")
    await world.move(representative["source_id"], "Archive")
    report = await world.archive()
    assert (report["source"], report["archived"]) == (1, 0)
    assert {key: n for key, n in (await world.copies_by_key()).items() if key} == keys
    # It comes back, and is a duplicate again.
    await world.move(representative["source_id"], "Calendar")
    report = await world.archive()
    assert (report["merged"], report["archived"], len(await world.copies())) == (1, 0, 1)
    assert await world.copies_by_key() == keys
    await nothing_more(world)


async def test_the_copy_of_a_representative_that_was_entered_again_stands_once_when_its_plan_reads_again(
    world: World,
) -> None:
    await world.open([event("Early", NINE), *[event("Review", NINE + 3 * HOUR)] * 2])
    await world.archive()
    copies = {copy["subject"]: copy["id"] for copy in await world.copies()}
    (merged,) = await world.rows("SELECT merged_into FROM archived_events WHERE state = 'merged'")
    # "Early" is entered again, too. The plan gives its row to the new event and reads the pages again.
    for again, key in (("Review", merged["merged_into"]), ("Early", await world.key("Early"))):
        await world.delete(key.removeprefix("s:"))
        await world.add(event(again, NINE if again == "Early" else NINE + 3 * HOUR))
    report = await world.archive()
    assert (report["repointed"], report["merged"], report["archived"]) == (1, 1, 0)
    assert {copy["subject"]: copy["id"] for copy in await world.copies()} == copies
    await nothing_more(world)


async def test_a_copy_that_a_decision_left_out_counts_for_the_duplicate_that_takes_it_over(
    world: World,
) -> None:
    await world.open([event("Review", NINE), event("Review", NINE), event("Beside", NINE + HOUR / 2)])
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Beside"))
    left_out = "SELECT subject FROM appointments WHERE excluded = 'resolution'"
    assert [each["subject"] for each in await world.rows(left_out)] == ["Review"]
    (merged,) = await world.rows("SELECT merged_into FROM archived_events WHERE state = 'merged'")
    await world.delete(merged["merged_into"].removeprefix("s:"))
    await world.archive()
    assert [each["status"] for each in await world.groups()] == ["recorded"]
    assert await world.rows(left_out) == []


async def test_a_duplicate_entered_again_when_its_representative_was_dragged_on_has_the_one_copy(
    world: World,
) -> None:
    took_place, later = days_from_now(world, -2), event("x", days_from_now(world, 5))
    await world.open([event("Review", took_place), event("Review", took_place)])
    await archive_days(world, -3, 0)
    (copy,) = await world.copies()
    (merged,) = await world.rows("SELECT source_id, merged_into FROM archived_events WHERE state = 'merged'")
    dragged = merged["merged_into"].removeprefix("s:")
    await world.edit(dragged, start=later["start"], end=later["end"])
    await world.delete(merged["source_id"])
    await world.add(event("Review", took_place))
    report = await archive_days(world, -3, 0)
    assert (report["repointed"], report["archived"], adds_up(report)) == (1, 0, True)
    assert [each["id"] for each in await world.copies()] == [copy["id"]]
    assert (await archive_days(world, -3, 0))["archived"] == 0


async def one_changed_and_one_entered_again(
    world: World, changed: dict[str, Any], **configuration: Any
) -> dict[str, Any]:
    """Of two archived duplicates, the one with the copy is entered again later, and the other one changes."""
    duplicate = event("Review", NINE, categories=["Acme - billable"])
    await world.open([duplicate, duplicate], **configuration)
    await world.archive()
    (merged,) = await world.rows("SELECT source_id, merged_into FROM archived_events WHERE state = 'merged'")
    await world.delete(merged["merged_into"].removeprefix("s:"))
    await world.edit(merged["source_id"], **changed)
    await world.add(duplicate | event("Review", NINE + 5 * HOUR, categories=["Acme - billable"]))
    return await world.archive()


def moved_to(start: datetime) -> dict[str, Any]:
    moved = event("x", start)
    return {"start": moved["start"], "end": moved["end"]}


@pytest.mark.parametrize("policy", ["keep_all", "flag", "auto"])
@pytest.mark.parametrize(
    ("changed", "start"),
    [
        ({"body": {"contentType": "text", "content": "Other"}}, "09:00"),
        ({"subject": "Review of the plan"}, "09:00"),
        (moved_to(NINE + HOUR / 4), "09:15"),
    ],
)
async def test_a_duplicate_that_differs_by_now_keeps_the_copy_whose_time_it_takes(
    world: World, changed: dict[str, Any], start: str, policy: str
) -> None:
    report = await one_changed_and_one_entered_again(world, changed, overlap_policy=policy)
    assert (report["archived"], report["updated"], adds_up(report)) == (1, 1, True)
    assert await starts(world) == [f"2026-03-02T{start}", "2026-03-02T14:00"]
    assert await world.items() == []
    await nothing_more(world)


@pytest.mark.parametrize("changed", [{"categories": []}, moved_to(NINE + 3 * HOUR), {"showAs": "free"}])
async def test_a_copy_whose_time_no_duplicate_takes_any_more_is_asked_about(
    world: World, changed: dict[str, Any]
) -> None:
    report = await one_changed_and_one_entered_again(world, changed, purpose="timesheet")
    assert (report["flagged"], adds_up(report)) == (1, True)
    (item,) = await world.items()
    assert item["status"] == "open"
    assert (await starts(world))[0] == "2026-03-02T09:00"
    await nothing_more(world)


@pytest.mark.parametrize("again", [False, True])
async def test_a_duplicate_that_an_overlap_would_leave_out_takes_the_copy_of_its_representative_first(
    world: World, again: bool
) -> None:
    review = event("Review", NINE, showAs="tentative")
    await world.open([review, review], overlap_policy="auto")
    await world.archive()
    copies = await world.copies()
    (merged,) = await world.rows("SELECT source_id, merged_into FROM archived_events WHERE state = 'merged'")
    await world.delete(merged["merged_into"].removeprefix("s:"))
    if again:
        await world.add(review)
    await world.add(event("Call", NINE + HOUR / 2))
    report = await world.archive()
    # What is archived stays archived, so the other one waits for its owner (5.9).
    assert (report["archived"], report["flagged"], report["left_out"], adds_up(report)) == (0, 1, 0, True)
    assert report["merged"] == again
    (stands,) = await world.rows("SELECT source_id FROM archived_events WHERE copy_id IS NOT NULL")
    assert stands["source_id"] == merged["source_id"]
    await nothing_more(world)
    # Nothing is left that would be archived beside the copy.
    await world.delete((await world.key("Call")).removeprefix("s:"))
    report = await world.archive()
    assert (report["archived"], report["source_deleted"], adds_up(report)) == (0, 1, True)
    assert [each["id"] for each in await world.copies()] == [each["id"] for each in copies]
    await nothing_more(world)


async def test_a_duplicate_whose_representative_differs_by_now_is_left_out_by_an_overlap_rule(
    world: World,
) -> None:
    review = event("Review", NINE, showAs="tentative")
    await world.open([review, review], overlap_policy="auto")
    await world.archive()
    (merged,) = await world.rows("SELECT merged_into FROM archived_events WHERE state = 'merged'")
    await world.edit(merged["merged_into"].removeprefix("s:"), subject="Other")
    await world.add(event("Call", NINE + HOUR / 2))
    report = await world.archive()
    assert (report["updated"], report["left_out"], report["flagged"], adds_up(report)) == (1, 1, 1, True)
    assert [each["subject"] for each in await world.copies()] == ["Other"]
    await nothing_more(world)


@pytest.mark.parametrize("duplicates", [1, 2])
async def test_a_meeting_entered_again_when_its_event_went_to_another_calendar_has_the_one_copy(
    world: World, duplicates: int
) -> None:
    await world.open([event("Review", NINE), *[event("Review", NINE + 3 * HOUR)] * duplicates])
    await world.archive()
    keys = await world.copies_by_key()
    early, *later = await world.rows("SELECT source_id, copy_id FROM archived_events ORDER BY start_at")
    # The person enters the early meeting again under another name. The match is uncertain: the plan asks.
    await world.delete(early["source_id"])
    await world.add(event("Another name", NINE))
    for row in later:
        if row["copy_id"] is None:
            await world.delete(row["source_id"])
        else:
            await world.move(row["source_id"], "Archive")
    await world.add(event("Review", NINE + 3 * HOUR))
    report = await world.archive()
    assert (report["repointed"], report["flagged"], report["archived"], adds_up(report)) == (1, 1, 0, True)
    assert {key: n for key, n in (await world.copies_by_key()).items() if key} == keys
    await nothing_more(world)
    # The event moves back and is a duplicate now. The question stays open and does not change.
    (moved,) = [row["source_id"] for row in later if row["copy_id"] is not None]
    await world.move(moved, "Calendar")
    report = await world.archive()
    assert (report["merged"], report["flagged"], report["archived"]) == (1, 1, 0)
    assert await world.copies_by_key() == keys
    await nothing_more(world)
