"""What is likely the same meeting waits for its owner, who says which of the two counts (2.16 d, e)."""

from datetime import datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from shared.domain.action_items.items import Answer
from shared.domain.copies.archive_copy import ARCHIVE_SOURCE_PROPERTY
from shared.domain.planning.decision import Action
from tests.integration.archiving.simulated_mailbox import event, property_of
from tests.integration.archiving.test_locked_periods import MONDAY, lock
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_previews import preview
from tests.integration.archiving.test_same_meeting import (
    HOUR,
    NINE,
    archive_days,
    days_from_now,
    nothing_more,
    starts,
)
from tests.integration.archiving.world import DAY, World


async def again_at(world: World, start: datetime, minutes: int = 60, **fields: Any) -> None:
    """Delete the review and enter it again at another time."""
    await world.delete((await world.source("Review"))["id"])
    await world.add(event(fields.pop("subject", "Review"), start, minutes, **fields))


async def counting(world: World) -> list[str]:
    """When the copies that count start, as a person reads them from the calendar."""
    return sorted(
        copy["start"]["dateTime"][11:16] for copy in await world.copies() if copy["showAs"] != "free"
    )


async def hours(world: World) -> float:
    """The hours that count by our record."""
    (row,) = await world.rows(
        "SELECT COALESCE(sum(extract(epoch FROM a.end_at - a.start_at)) / 3600, 0) AS hours"
        " FROM appointments a WHERE a.excluded IS NULL AND a.show_as <> 'free'"
    )
    return float(row["hours"])


async def archived_then_moved(world: World, **configuration: Any) -> dict[str, Any]:
    """A review at nine that was archived, deleted, and entered again for two hours at two."""
    await world.open([event("Review", NINE, categories=["Acme - billable"])], **configuration)
    await world.archive()
    await again_at(world, NINE + 5 * HOUR, 120)
    return await world.archive()


@pytest.mark.parametrize("policy", ["keep_all", "flag", "auto"])
async def test_the_old_one_counts_and_the_new_one_waits(world: World, policy: str) -> None:
    report = await archived_then_moved(world, overlap_policy=policy)
    assert (report["flagged"], report["archived"], adds_up(report)) == (1, 0, True)
    assert (await counting(world), await hours(world)) == (["09:00"], 1.0)
    (item,) = await world.items()
    assert (item["kind"], item["question"], item["status"]) == ("same_meeting", "likely_same", "open")
    assert item["expires_at"] is None
    assert item["remind_at"] is not None
    await nothing_more(world)
    assert await world.items() == [item]


async def test_one_meeting_takes_the_new_content_in_its_one_copy(world: World) -> None:
    await archived_then_moved(world)
    copy = await world.copy("Review")
    report = await world.answer(Answer.ONE_MEETING)
    assert (report["updated"], report["archived"]) == (1, 0)
    now = await world.copy("Review")
    assert (now["id"], now["categories"]) == (copy["id"], ["Acme - billable"])
    assert (await counting(world), await hours(world)) == (["14:00"], 2.0)
    (item,) = await world.items()
    assert (item["status"], item["due_at"], item["carried_out_at"] is not None) == ("answered", None, True)
    await nothing_more(world)


async def test_two_meetings_have_a_copy_each(world: World) -> None:
    await archived_then_moved(world)
    report = await world.answer(Answer.TWO_MEETINGS)
    assert (report["archived"], report["updated"]) == (1, 0)
    assert (await counting(world), await hours(world)) == (["09:00", "14:00"], 3.0)
    (item,) = await world.items()
    assert item["carried_out_at"] is not None
    await nothing_more(world)


async def test_an_overlap_may_make_the_new_one_wait_after_its_answer(world: World) -> None:
    await archived_then_moved(world, overlap_policy="flag")
    await world.answer(Answer.TWO_MEETINGS, run=False)
    await world.add(event("Call", NINE + 6 * HOUR))
    assert ((await world.archive())["flagged"], await counting(world)) == (2, ["09:00"])
    await nothing_more(world)
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Review"))
    assert (await counting(world), await hours(world)) == (["09:00", "14:00"], 3.0)
    assert (await world.items())[0]["carried_out_at"] is not None


async def test_of_the_new_one_only_the_old_copy_stays_free_and_counts_nothing(world: World) -> None:
    await archived_then_moved(world)
    old = await world.copy("Review")
    report = await world.answer(Answer.NEW_ONE_ONLY)
    assert (report["archived"], report["flagged"], adds_up(report)) == (1, 0, True)
    assert (await counting(world), await hours(world)) == (["14:00"], 2.0)
    copies = {copy["id"]: copy for copy in await world.copies()}
    assert copies[old["id"]]["showAs"] == "free"
    assert copies[old["id"]]["start"] == old["start"]
    assert orjson.loads(property_of(copies[old["id"]], ARCHIVE_SOURCE_PROPERTY))["superseded"] is True
    (row,) = await world.rows("SELECT excluded FROM appointments WHERE show_as = 'free'")
    assert row["excluded"] == "superseded"
    (item,) = await world.items()
    assert item["carried_out_at"] is not None
    await nothing_more(world)


async def test_another_event_in_the_time_of_the_old_one_is_asked_about(world: World) -> None:
    await world.open([event("Review", NINE)])
    await world.archive()
    await again_at(world, NINE + HOUR / 2, subject="Audit")
    report = await world.archive()
    assert (report["flagged"], await counting(world)) == (1, ["09:00"])
    await world.answer(Answer.ONE_MEETING)
    assert (await counting(world), await world.subjects()) == (["09:30"], ["Audit"])
    await nothing_more(world)


async def test_one_entered_on_the_next_day_after_that_was_archived_is_asked_about(world: World) -> None:
    await world.open([event("Review", NINE)])
    await world.archive()
    await again_at(world, NINE + 24 * HOUR)
    report = await world.archive()
    assert (report["flagged"], report["archived"], await hours(world)) == (1, 0, 1.0)
    await world.answer(Answer.ONE_MEETING)
    assert (await starts(world), await hours(world)) == (["2026-03-03T09:00"], 1.0)
    await nothing_more(world)


async def test_a_meeting_of_the_next_day_is_archived_by_that_days_run(world: World) -> None:
    await world.open([event("Review", NINE)])
    await world.archive(DAY, DAY + 24 * HOUR)
    await again_at(world, NINE + 24 * HOUR)
    report = await world.archive()
    assert (report["flagged"], report["archived"]) == (0, 1)


async def test_several_that_may_be_the_same_are_one_item(world: World) -> None:
    await world.open([event("First", NINE), event("Second", NINE + HOUR)])
    await world.archive()
    for subject in ("First", "Second"):
        await world.delete((await world.source(subject))["id"])
    half = HOUR / 2
    await world.add(
        event("One", NINE + half), event("Two", NINE + HOUR + half / 2), event("Three", NINE + 1.75 * HOUR)
    )
    report = await world.archive()
    assert (len(await world.items()), report["flagged"], report["archived"]) == (1, 2, 1)
    assert await world.subjects() == ["First", "Second", "Three"]
    await nothing_more(world)
    await world.answer(Answer.NEW_ONE_ONLY)
    assert await counting(world) == ["09:30", "10:15", "10:45"]
    await nothing_more(world)


async def test_a_new_event_that_vanishes_closes_its_item(world: World) -> None:
    await archived_then_moved(world)
    await world.delete((await world.source("Review"))["id"])
    await world.archive()
    (item,) = await world.items()
    assert (item["status"], item["closed_reason"]) == ("closed", "settled_itself")
    assert await counting(world) == ["09:00"]
    await nothing_more(world)


async def test_a_new_event_that_moves_to_another_day_is_archived_there(world: World) -> None:
    await archived_then_moved(world)
    tomorrow = event("x", NINE + 30 * HOUR)
    await world.edit((await world.source("Review"))["id"], start=tomorrow["start"], end=tomorrow["end"])
    report = await world.archive()
    assert (report["archived"], report["flagged"]) == (1, 0)
    (item,) = await world.items()
    assert item["status"] == "closed"
    await nothing_more(world)


async def test_a_question_stays_where_its_new_event_is_renamed(world: World) -> None:
    await archived_then_moved(world)
    await world.edit((await world.source("Review"))["id"], subject="Review with Carla")
    for _ in range(2):
        report = await world.archive()
        assert (report["archived"], report["flagged"]) == (0, 1)
    (item,) = await world.items()
    assert (item["status"], item["version"]) == ("open", 2)
    assert await world.subjects() == ["Review"]


async def test_an_old_copy_that_its_owner_deletes_lets_the_new_one_in(world: World) -> None:
    await archived_then_moved(world)
    await world.delete((await world.copy("Review"))["id"])
    async with world.database.session() as session:
        # As a verification, or a write that found no copy, notes it.
        await session.execute(
            text("UPDATE archived_events SET state = 'removed_by_owner' WHERE copy_id IS NOT NULL")
        )
    report = await world.archive()
    assert (report["archived"], report["flagged"]) == (1, 0)
    (item,) = await world.items()
    assert item["status"] == "closed"


async def test_changed_content_is_shown_and_the_answer_binds_to_it(world: World) -> None:
    await archived_then_moved(world)
    source = (await world.source("Review"))["id"]
    await world.edit(source, location={"displayName": "Room 1"})
    await world.archive()
    (item,) = await world.items()
    assert (item["status"], item["version"]) == ("open", 2)
    (shown,) = await world.rows("SELECT record FROM action_item_events WHERE side = 'new'")
    assert shown["record"]["location"] == "Room 1"
    await world.answer(Answer.TWO_MEETINGS, run=False)
    await world.edit(source, location={"displayName": "Room 2"})
    report = await world.archive()
    assert (report["flagged"], report["archived"]) == (1, 0)
    (item,) = await world.items()
    assert (item["status"], item["proposal"]) == ("open", "two_meetings")
    await world.answer(Answer.TWO_MEETINGS)
    assert await counting(world) == ["09:00", "14:00"]


async def test_an_answer_survives_a_process_that_dies_before_its_run(world: World) -> None:
    await archived_then_moved(world)
    await world.answer(Answer.ONE_MEETING, run=False)
    # Whatever run comes next carries it out.
    await world.archive()
    assert await counting(world) == ["14:00"]
    await nothing_more(world)


async def test_an_answer_given_while_a_run_is_in_progress_waits_for_the_next_one(world: World) -> None:
    await archived_then_moved(world)
    under_way = await world.request()
    await world.plan(under_way.id)
    world.clock.advance(seconds=1)
    await world.answer(Answer.ONE_MEETING, run=False)
    await world.apply(under_way.id)
    await world.finish(under_way.id)
    (item,) = await world.items()
    assert item["due_at"] == item["answered_at"]
    assert await world.answering.carry_out_due() == []
    world.clock.advance(minutes=16)
    (run_id,) = await world.answering.carry_out_due()
    await world.drive(run_id)
    assert await counting(world) == ["14:00"]
    assert (await world.items())[0]["carried_out_at"] is not None


async def test_replacing_leaves_the_new_one_waiting_too(world: World) -> None:
    await archived_then_moved(world)
    report = await world.replace()
    assert (report["flagged"], await counting(world)) == (1, ["09:00"])
    assert len(await world.open_items()) == 1


async def test_in_a_locked_period_an_answer_changes_the_map_alone(world: World) -> None:
    await archived_then_moved(world)
    await lock(world, MONDAY)
    report = await world.answer(Answer.ONE_MEETING)
    assert (report["locked"], report["updated"], await counting(world)) == (1, 0, ["09:00"])
    assert (await world.items())[0]["carried_out_at"] is not None


async def dragged(world: World) -> tuple[datetime, datetime]:
    """A review of the day before yesterday, archived and then dragged to next week; when it was, and is."""
    took_place, later = days_from_now(world, -2), days_from_now(world, 5)
    await world.open([event("Review", took_place)])
    await archive_days(world, -3, 0)
    to = event("x", later)
    await world.edit((await world.source("Review"))["id"], start=to["start"], end=to["end"])
    await archive_days(world, -3, 0)
    return took_place, later


async def test_a_dragged_meeting_is_asked_about_and_took_place_by_default(world: World) -> None:
    took_place, later = await dragged(world)
    (item,) = await world.items()
    assert (item["question"], item["status"]) == ("moved_on", "open")
    assert item["expires_at"] is not None
    sides = await world.rows("SELECT side, start_at FROM action_item_events ORDER BY side")
    assert [(each["side"], each["start_at"]) for each in sides] == [("archived", took_place), ("new", later)]
    assert (await archive_days(world, -3, 0))["flagged"] == 0
    assert len(await world.items()) == 1
    assert await world.answer(Answer.TOOK_PLACE) == {}
    assert await starts(world) == [f"{took_place:%Y-%m-%dT%H:%M}"]
    world.clock.advance(days=7)
    await archive_days(world, -3, 0)
    assert await starts(world) == [f"{took_place:%Y-%m-%dT%H:%M}", f"{later:%Y-%m-%dT%H:%M}"]


async def test_a_postponed_meeting_counts_when_it_takes_place_alone(world: World) -> None:
    _, later = await dragged(world)
    await world.answer(Answer.WAS_POSTPONED)
    assert (await starts(world), await hours(world)) == ([], 0.0)
    (item,) = await world.items()
    assert item["carried_out_at"] is not None
    world.clock.advance(days=7)
    await archive_days(world, -3, 0)
    assert (await starts(world), await hours(world)) == ([f"{later:%Y-%m-%dT%H:%M}"], 1.0)
    assert (await archive_days(world, -14, 0))["archived"] == 0


async def test_a_dragged_meeting_that_comes_back_is_asked_about_no_more(world: World) -> None:
    took_place, _ = await dragged(world)
    back = event("x", took_place)
    await world.edit((await world.source("Review"))["id"], start=back["start"], end=back["end"])
    await archive_days(world, -3, 0)
    (item,) = await world.items()
    assert (item["status"], await starts(world)) == ("closed", [f"{took_place:%Y-%m-%dT%H:%M}"])


async def test_a_dry_run_shows_what_would_wait_and_asks_nothing(world: World) -> None:
    await world.open([event("Review", NINE), event("Call", NINE + 3 * HOUR)])
    await world.archive()
    await again_at(world, NINE + 5 * HOUR)
    await world.delete((await world.source("Call"))["id"])
    await world.add(event("Call", NINE + 3 * HOUR))
    planned = await preview(world)
    assert planned.counts == {Action.FLAG: 1, Action.UPDATE: 1}
    assert await world.items() == []
    report = await world.archive()
    assert (report["flagged"], report["updated"], len(await world.items())) == (1, 1, 1)
    assert (await preview(world)).counts == {Action.FLAG: 1, Action.UNCHANGED: 1}


async def test_a_duplicate_that_stays_gets_the_copy_before_anybody_is_asked(world: World) -> None:
    await world.open([event("Review", NINE), event("Review", NINE)])
    assert (await world.archive())["merged"] == 1
    copy = await world.copy("Review")
    (row,) = await world.rows("SELECT source_id FROM archived_events WHERE copy_id IS NOT NULL")
    await world.delete(row["source_id"])
    await world.add(event("Review", NINE + 5 * HOUR))
    report = await world.archive()
    assert (report["archived"], report["unchanged"], adds_up(report)) == (1, 1, True)
    assert await world.items() == []
    assert await starts(world) == ["2026-03-02T09:00", "2026-03-02T14:00"]
    assert copy["id"] in {each["id"] for each in await world.copies()}
    await nothing_more(world)


async def test_a_copy_that_is_asked_about_does_not_go_to_a_former_duplicate(world: World) -> None:
    await world.open([event("Review", NINE), event("Review", NINE)])
    await world.archive()
    (row,) = await world.rows("SELECT source_id FROM archived_events WHERE copy_id IS NOT NULL")
    await world.delete(row["source_id"])
    earlier = event("x", NINE - 6 * HOUR)
    await world.edit((await world.source("Review"))["id"], start=earlier["start"], end=earlier["end"])
    await world.add(event("Visit", NINE))
    for asked in (1, 0):
        report = await world.archive()
        assert (report["archived"], report["flagged"], adds_up(report)) == (asked, 1, True)
    (item,) = await world.items()
    assert item["status"] == "open"
    assert await starts(world) == ["2026-03-02T03:00", "2026-03-02T09:00"]


async def test_a_question_stays_whatever_overlap_was_recorded_before(world: World) -> None:
    evening = event("Visit", DAY - 2 * HOUR, 16 * 60)
    await world.open([event("Review", NINE), evening], overlap_policy="keep_all")
    # A run of the day alone records the overlap with the event of the evening before.
    await world.archive(DAY, DAY + 24 * HOUR)
    assert [group["status"] for group in await world.groups()] == ["recorded"]
    await world.delete((await world.source("Review"))["id"])
    report = await world.archive(DAY - 24 * HOUR, DAY + 24 * HOUR)
    assert (report["flagged"], report["archived"], adds_up(report)) == (1, 0, True)
    (item,) = await world.items()
    again = await world.archive(DAY - 24 * HOUR, DAY + 24 * HOUR)
    assert (again["flagged"], again["archived"], adds_up(again)) == (1, 0, True)
    assert await world.items() == [item]


async def test_duplicates_wait_with_the_one_that_waits_for_an_answer(world: World) -> None:
    await world.open([event("Review", NINE)])
    await world.archive()
    await again_at(world, NINE + 5 * HOUR)
    await world.add(event("Review", NINE + 5 * HOUR))
    report = await world.archive()
    assert (report["flagged"], report["merged"], report["archived"], adds_up(report)) == (1, 1, 0, True)
    report = await world.answer(Answer.ONE_MEETING)
    assert (report["updated"], report["merged"], report["archived"]) == (1, 1, 0)
    assert (await counting(world), await hours(world)) == (["14:00"], 1.0)
    await nothing_more(world)
