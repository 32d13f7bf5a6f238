"""Series and invitations changed so that nobody can be certain: one question each (domain.md 2.16 d, e)."""

from datetime import date

from shared.domain.action_items.items import Answer
from tests.integration.archiving.test_likely_meetings import hours
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_same_meeting import FIVE, NINE, nothing_more, starts
from tests.integration.archiving.test_series_edits import archived_series, outlook
from tests.integration.archiving.world import World

WALL = NINE.replace(tzinfo=None)
#: The window holds one of them.
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
    "range": {"type": "numbered", "numberOfOccurrences": 3},
}


async def test_a_split_that_also_renames_is_one_question(world: World) -> None:
    edits, series = await archived_series(world)
    copies = {copy["id"] for copy in await world.copies()}
    await edits.split_series(series, date(2026, 3, 4), rename="Daily")
    report = await world.archive()
    assert (report["flagged"], report["archived"], adds_up(report)) == (3, 0, True)
    assert (await starts(world), len(await world.items())) == (FIVE, 1)
    await nothing_more(world)
    report = await world.answer(Answer.ONE_MEETING)
    assert (report["updated"], await world.subjects()) == (3, [*["Daily"] * 3, *["Standup"] * 2])
    assert (await starts(world), await hours(world)) == (FIVE, 1.25)
    assert {copy["id"] for copy in await world.copies()} == copies
    await nothing_more(world)


async def test_of_a_renamed_rest_only_the_new_ones_count_if_so_answered(world: World) -> None:
    edits, series = await archived_series(world)
    await edits.split_series(series, date(2026, 3, 4), rename="Daily", hours=4)
    report = await world.archive()
    # At another time and under another name nothing speaks for the same meeting.
    assert (report["archived"], len(await world.items())) == (3, 0)
    assert len(await starts(world)) == 8


async def test_a_new_series_in_the_time_of_a_deleted_one_supersedes_it(world: World) -> None:
    edits, series = await archived_series(world)
    await edits.delete(series)
    for day in range(2, 7):
        await edits.create("Retrospective", WALL.replace(day=day), 30)
    report = await world.archive()
    assert (report["flagged"], len(await world.items())) == (5, 1)
    await world.answer(Answer.NEW_ONE_ONLY)
    assert (await starts(world), await hours(world)) == (FIVE, 2.5)
    assert len(await world.copies()) == 10
    await nothing_more(world)


async def test_an_invitation_of_another_organizer_keeps_the_owners_category(world: World) -> None:
    await world.open([])
    edits = await outlook(world)
    review = await edits.create("Review", WALL, categories=["Acme - billable"])
    await world.archive()
    copy = await world.copy("Review")
    await edits.new_invitation(review, organizer="grace@example.test")
    report = await world.archive()
    assert (report["flagged"], await hours(world)) == (1, 1.0)
    await world.answer(Answer.ONE_MEETING)
    now = await world.copy("Review")
    assert (now["id"], now["categories"]) == (copy["id"], ["Acme - billable"])
    (row,) = await world.rows("SELECT organizer->>'address' AS organizer FROM appointments")
    assert row["organizer"] == "grace@example.test"
    await nothing_more(world)


async def one_waits_in_the_time_of_the_copy(world: World) -> None:
    """The next run lets the event in the copy's time wait, and archives the one at two o'clock."""
    report = await world.archive()
    assert (report["flagged"], report["archived"], adds_up(report)) == (1, 1, True)
    assert (await starts(world), await hours(world)) == (["2026-03-02T09:00", "2026-03-02T14:00"], 2.0)
    await nothing_more(world)


async def test_an_invitation_of_another_organizer_waits_before_the_same_subject_later_that_day(
    world: World,
) -> None:
    await world.open([])
    edits = await outlook(world)
    review = await edits.create("Review", WALL)
    await world.archive()
    copy = await world.copy("Review")
    await edits.new_invitation(review, organizer="grace@example.test")
    await edits.create("Review", WALL.replace(hour=14))
    await one_waits_in_the_time_of_the_copy(world)
    await world.answer(Answer.ONE_MEETING)
    assert await starts(world) == ["2026-03-02T09:00", "2026-03-02T14:00"]
    assert (copy["id"] in {each["id"] for each in await world.copies()}, await hours(world)) == (True, 2.0)
    await nothing_more(world)


async def test_a_question_about_what_takes_the_time_of_a_copy_stays_when_its_subject_comes_later_that_day(
    world: World,
) -> None:
    await world.open([])
    edits = await outlook(world)
    review = await edits.create("Review", WALL)
    await world.archive()
    await edits.delete(review)
    await edits.create("Another name", WALL)
    assert (await world.archive())["flagged"] == 1
    await edits.create("Review", WALL.replace(hour=14))
    await one_waits_in_the_time_of_the_copy(world)
    await world.answer(Answer.ONE_MEETING)
    assert (await world.subjects(), await hours(world)) == (["Another name", "Review"], 2.0)
    await nothing_more(world)


async def test_a_single_meeting_that_became_a_series_at_another_time_follows_its_answer(
    world: World,
) -> None:
    await world.open([])
    edits = await outlook(world)
    single = await edits.create("Review", WALL, 30)
    await world.archive()
    copy = await world.copy("Review")
    await edits.delete(single)
    await edits.create("Review", WALL.replace(hour=11), 30, recurrence=WEEKLY)
    report = await world.archive()
    assert (report["flagged"], report["archived"]) == (1, 0)
    await world.answer(Answer.ONE_MEETING)
    assert (await starts(world), (await world.copy("Review"))["id"]) == (["2026-03-02T11:00"], copy["id"])
    await nothing_more(world)
