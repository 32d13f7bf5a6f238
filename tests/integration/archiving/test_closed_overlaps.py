"""What a decision left out counts again once nothing that counts overlaps it (domain.md 5.9)."""

from datetime import timedelta

import pytest

from shared.domain.action_items.items import Answer
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_likely_meetings import hours
from tests.integration.archiving.test_same_meeting import HOUR, NINE, archive_days, days_from_now
from tests.integration.archiving.world import World


async def left_out(world: World) -> list[str]:
    """Subjects of copies that a decision about an overlap left out."""
    rows = await world.rows("SELECT subject FROM appointments WHERE excluded = 'resolution' ORDER BY subject")
    return [row["subject"] for row in rows]


@pytest.mark.parametrize(
    ("answer", "still_left_out"),
    [(Answer.NEW_ONE_ONLY, []), (Answer.ONE_MEETING, []), (Answer.TWO_MEETINGS, ["Other"])],
)
async def test_what_was_left_out_for_a_meeting_follows_what_its_owner_says_of_that(
    world: World, answer: Answer, still_left_out: list[str]
) -> None:
    await world.open([event("Review", NINE, 60), event("Other", NINE + HOUR / 2, 60)])
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Review"))
    await world.delete((await world.source("Review"))["id"])
    await world.add(event("Review", NINE + 5 * HOUR, 60))
    await world.archive()
    # The overlap is gone. The copy at nine still counts until its owner answers.
    assert [each["status"] for each in await world.groups()] == ["closed"]
    assert (await left_out(world), await hours(world)) == (["Other"], 1.0)
    await world.answer(answer)
    assert (await left_out(world), await hours(world)) == (still_left_out, 2.0)


async def test_what_was_left_out_for_a_meeting_counts_when_that_was_postponed(world: World) -> None:
    at = days_from_now(world, -2)
    await world.open([event("Review", at, 60), event("Other", at + timedelta(minutes=30), 120)])
    await archive_days(world, -3, 0)
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Review"))
    later = event("x", days_from_now(world, 5), 60)
    await world.edit((await world.source("Review"))["id"], start=later["start"], end=later["end"])
    await archive_days(world, -3, 0)
    assert (await left_out(world), await hours(world)) == (["Other"], 1.0)
    await world.answer(Answer.WAS_POSTPONED)
    assert (await left_out(world), await hours(world)) == ([], 2.0)
