"""A new event that waits for its owner goes to another calendar (domain.md 2.16, 5.8)."""

import pytest

from shared.domain.action_items.items import Answer
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_likely_meetings import archived_then_moved, counting, hours
from tests.integration.archiving.test_one_archive_of_two import another
from tests.integration.archiving.test_same_meeting import HOUR, NINE, nothing_more
from tests.integration.archiving.world import World


async def moved_to_team(world: World, subject: str) -> str:
    """Move an event to a calendar that is not archived. Returns its id there."""
    await world.calendars.create_calendar(str(world.person_id), "Team")
    await world.move((await world.source(subject))["id"], "Team")
    (moved,) = await world.events("Team")
    return str(moved["id"])


@pytest.mark.parametrize("answer", [None, Answer.ONE_MEETING, Answer.TWO_MEETINGS, Answer.NEW_ONE_ONLY])
async def test_one_that_waits_for_an_answer_is_not_archived(world: World, answer: Answer | None) -> None:
    await archived_then_moved(world)
    moved = await moved_to_team(world, "Review")
    report = await (world.archive() if answer is None else world.answer(answer))
    assert (report["archived"], report["flagged"], report["updated"]) == (0, 0, 0)
    assert (await counting(world), await hours(world)) == (["09:00"], 1.0)
    (item,) = await world.items()
    assert (item["status"], item["closed_reason"]) == ("closed", "settled_itself")
    await nothing_more(world)
    await world.move(moved, "Calendar")
    assert (await world.archive())["flagged"] == 1
    assert await counting(world) == ["09:00"]
    assert [each["status"] for each in await world.items()].count("open") == 1
    await world.answer(Answer.TWO_MEETINGS)
    assert (await counting(world), await hours(world)) == (["09:00", "14:00"], 3.0)


async def test_one_that_waits_for_the_decision_of_an_overlap_is_archived(world: World) -> None:
    await world.open([event("Review", NINE), event("Call", NINE + HOUR / 2)], overlap_policy="flag")
    assert (await world.archive())["flagged"] == 2
    await moved_to_team(world, "Call")
    await world.archive()
    assert await counting(world) == ["09:00", "09:30"]
    # The event is looked up each time, and its calendar.
    await nothing_more(world, reads=4)


async def test_one_that_another_configuration_reads_now_is_archived_by_that_one(world: World) -> None:
    await archived_then_moved(world)
    team = await another(world, source="Team")
    await world.move((await world.source("Review"))["id"], "Team")
    await world.archive()
    await team.archive()
    assert (await counting(world), await hours(world)) == (["09:00", "14:00"], 3.0)
    await nothing_more(world)
    await nothing_more(team)
