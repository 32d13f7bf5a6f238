"""A question about a meeting and a decision about its overlap do not get in each other's way (2.16, 5.9)."""

import pytest
from sqlalchemy import RowMapping, text

from shared.domain.action_items.items import Answer
from shared.services.archiving.unseen_events import UnseenEvents
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_likely_meetings import again_at, counting
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_same_meeting import HOUR, NINE
from tests.integration.archiving.test_waiting_elsewhere import moved_to_team
from tests.integration.archiving.world import DAY, World


async def asked_within_a_visit(world: World, policy: str = "keep_all") -> RowMapping:
    """A review that may be another, on the second day of a visit; the overlap of both is stored."""
    visit, later = event("Visit", DAY - 2 * HOUR, 16 * 60), event("Later", DAY + 44 * HOUR)
    await world.open([visit, event("Review", NINE), later], overlap_policy="keep_all")
    await world.archive(DAY - 24 * HOUR, DAY + 24 * HOUR)
    await again_at(world, NINE + 2 * HOUR)
    async with world.database.session() as session:
        await session.execute(
            text("UPDATE archive_configurations SET overlap_policy = :policy"), {"policy": policy}
        )
    # The later event closes the group, so the first reading stores it before anything is matched.
    assert (await world.archive(DAY, DAY + 24 * HOUR))["flagged"] == 1
    (group,) = await world.groups()
    assert group["end_at"] == DAY + 14 * HOUR
    return group


async def test_a_question_stays_when_its_owner_decides_an_overlap(world: World) -> None:
    group = await asked_within_a_visit(world)
    (item,) = await world.items()
    report = await world.drive(await world.resolve(group["id"]))
    assert (report["flagged"], report["archived"], adds_up(report)) == (1, 0, True)
    assert await world.items() == [item]
    assert await counting(world) == ["09:00", "22:00"]
    await world.answer(Answer.ONE_MEETING)
    assert await counting(world) == ["11:00", "22:00"]


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (Answer.ONE_MEETING, ["11:00"]),
        (Answer.NEW_ONE_ONLY, ["11:00"]),
        (Answer.TWO_MEETINGS, ["09:00", "11:00"]),
    ],
)
async def test_an_answer_is_carried_out_with_a_decision_about_an_overlap(
    world: World, answer: Answer, counted: list[str]
) -> None:
    group = await asked_within_a_visit(world)
    await world.answer(answer, run=False)
    await world.drive(await world.resolve(group["id"]))
    assert await counting(world) == [*counted, "22:00"]
    assert (await world.items())[0]["carried_out_at"] is not None


async def test_an_answer_about_a_meeting_that_changed_is_asked_again_after_such_a_decision(
    world: World,
) -> None:
    group = await asked_within_a_visit(world)
    await world.answer(Answer.NEW_ONE_ONLY, run=False)
    await world.edit((await world.source("Review"))["id"], location={"displayName": "Room 2"})
    await world.drive(await world.resolve(group["id"]))
    assert [item["status"] for item in await world.items()] == ["open"]
    assert await counting(world) == ["09:00", "22:00"]


@pytest.mark.parametrize("moved", [False, True])
async def test_a_new_event_that_goes_is_not_archived_by_a_decision_about_its_overlap(
    world: World, moved: bool
) -> None:
    group = await asked_within_a_visit(world, "flag")
    await (moved_to_team(world, "Review") if moved else world.delete((await world.source("Review"))["id"]))
    await world.archive(DAY, DAY + 24 * HOUR)
    assert [item["status"] for item in await world.items()] == ["closed"]
    await world.drive(await world.resolve(group["id"]))
    await world.archive(DAY - 24 * HOUR, DAY + 24 * HOUR)
    assert [each["status"] for each in await world.groups()] == ["closed"]
    assert await counting(world) == ["09:00", "22:00"]


async def test_what_an_overlap_made_wait_is_asked_about_for_no_other_event_after_a_plan_broke_off(
    world: World,
) -> None:
    await world.open([event("Review", NINE)], overlap_policy="auto")
    await world.archive()
    maybe = event("Maybe", NINE - HOUR, showAs="tentative")
    await world.add(event("Visit", NINE - HOUR, 5 * 60), maybe)
    assert (await world.archive())["flagged"] == 1
    await again_at(world, NINE + 2 * HOUR)
    # The new review waits for its owner's answer. Rules decide the other events. Then the plan fails, before
    # it stores the question.
    run_id = await world.break_off_plan(UnseenEvents, "read_bodies")
    assert [each["status"] for each in await world.groups()] == ["resolved"]
    report = await world.drive(run_id)
    assert (report["flagged"], report["archived"], adds_up(report)) == (1, 1, True)
    assert await counting(world) == ["08:00", "09:00"]
    await world.answer(Answer.ONE_MEETING)
    assert await counting(world) == ["08:00", "11:00"]
