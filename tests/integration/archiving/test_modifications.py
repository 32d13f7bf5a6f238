"""Small events that say how a meeting really went, archived with it (domain.md 4)."""

from datetime import timedelta

from shared.domain.action_items.items import Answer
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_likely_meetings import again_at, counting, hours
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_same_meeting import nothing_more
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR
NEXT = DAY + timedelta(days=1)


def clock(copy: dict[str, dict[str, str]], edge: str) -> str:
    """Hours and minutes of a copy's start or end."""
    return copy[edge]["dateTime"][11:16]


async def test_an_extension_makes_the_meeting_longer_and_is_no_event_of_its_own(world: World) -> None:
    await world.open([event("Review", NINE), event("Extended", NINE + HOUR, 30)])
    report = await world.archive()
    assert (report["archived"], report["consumed"], report["modifications_applied"]) == (1, 1, 1)
    assert adds_up(report)
    copy = await world.copy("Review")
    assert (clock(copy, "start"), clock(copy, "end")) == ("09:00", "10:30")
    assert await world.subjects() == ["Review"]
    (row,) = await world.rows("SELECT end_at, modifications FROM appointments")
    assert row["end_at"] == NINE + 1.5 * HOUR
    assert [each["kind"] for each in row["modifications"]] == ["extended"]
    again = await world.archive()
    assert (again["unchanged"], again["consumed"], again["updated"]) == (1, 1, 0)


async def test_a_modification_that_comes_later_updates_the_copy_and_is_undone_when_it_goes(
    world: World,
) -> None:
    await world.open([event("Review", NINE, 60), event("Other", NINE + 5 * HOUR)])
    await world.archive()
    await world.add(event("Shortened meeting", NINE + HOUR / 2, 30))
    report = await world.archive()
    assert (report["updated"], report["consumed"], report["unchanged"]) == (1, 1, 1)
    assert clock(await world.copy("Review"), "end") == "09:30"
    await world.delete((await world.source("Shortened meeting"))["id"])
    report = await world.archive()
    assert (report["updated"], report["consumed"], report["unchanged"]) == (1, 0, 1)
    assert clock(await world.copy("Review"), "end") == "10:00"
    assert (await world.archive())["updated"] == 0
    (row,) = await world.rows("SELECT modifications FROM appointments WHERE subject = 'Review'")
    assert row["modifications"] == []


async def test_an_orphan_is_archived_as_it_is_and_reported(world: World) -> None:
    await world.open([event("Review", NINE), event("Extended", NINE + 3 * HOUR, 30)])
    report = await world.archive()
    assert (report["archived"], report["consumed"], report["orphan_modifications"]) == (2, 0, 1)
    assert await world.subjects() == ["Extended", "Review"]


async def test_the_copy_of_an_orphan_that_finds_its_meeting_is_shown_free(world: World) -> None:
    await world.open([event("Extended", NINE + HOUR, 30)])
    await world.archive()
    await world.add(event("Review", NINE))
    report = await world.archive()
    assert (report["archived"], report["consumed"]) == (1, 1)
    assert clock(await world.copy("Review"), "end") == "10:30"
    assert await world.subjects() == ["Extended", "Review"]
    # The sum of the calendar is one hour and a half, and so is what is recorded.
    assert (await world.copy("Extended"))["showAs"] == "free"
    (row,) = await world.rows("SELECT subject FROM appointments WHERE excluded = 'consumed'")
    assert row["subject"] == "Extended"
    again = await world.archive()
    assert (again["consumed"], again["superseded"], again["unchanged"]) == (1, 0, 1)
    # Its meeting goes: the copy of that keeps the longer time, so its own counts no more than before.
    await world.delete((await world.source("Review"))["id"])
    report = await world.archive()
    assert (report["consumed"], report["source_deleted"]) == (1, 1)
    # After its owner changed it, it is an event of its own again, and its copy counts again.
    await world.edit((await world.source("Extended"))["id"], location={"displayName": "Room 1"})
    assert (await world.archive())["updated"] == 1
    assert await world.rows("SELECT subject FROM appointments WHERE excluded IS NOT NULL") == []
    assert (await world.copy("Extended"))["showAs"] == "busy"


async def test_a_modification_that_is_alone_again_is_not_told_as_consumed_although_its_copy_was_edited(
    world: World,
) -> None:
    await world.open([event("Extended", NINE + HOUR, 30)])
    await world.archive()
    await world.add(event("Review", NINE))
    assert (await world.archive())["consumed"] == 1
    await world.edit((await world.copy("Extended"))["id"], body={"contentType": "text", "content": "Mine"})
    away = event("Extended", NINE + 4 * HOUR, 30)
    await world.edit((await world.source("Extended"))["id"], start=away["start"], end=away["end"])
    # The first run learns that the copy was edited. The next one knows it.
    for _ in range(2):
        report = await world.archive()
        assert (report["conflict"], report["consumed"], report["orphan_modifications"]) == (1, 0, 1)
    (found,) = await world.rows(
        "SELECT e.state, a.excluded, a.show_as FROM appointments a"
        " JOIN archived_events e ON e.id = a.archived_event_id WHERE a.subject = 'Extended'"
    )
    assert dict(found) == {"state": "present", "excluded": None, "show_as": "free"}
    # The copy is as its owner left it, so it is free time.
    assert ((await world.copy("Extended"))["showAs"], await hours(world)) == ("free", 1.0)


async def test_a_modification_across_midnight_changes_the_meeting_of_the_day_before(world: World) -> None:
    late = DAY + 23 * HOUR
    await world.open([event("Party", late, 60)])
    first = await world.archive(DAY, NEXT)
    assert (first["archived"], clock(await world.copy("Party"), "end")) == (1, "00:00")
    await world.add(event("Extended", NEXT, 45))
    second = await world.archive(NEXT, NEXT + timedelta(days=1))
    assert (second["source"], second["consumed"], second["updated"]) == (1, 1, 0)
    assert (second["margin_updates"], second["state"]) == (1, "completed")
    assert adds_up(second)
    assert clock(await world.copy("Party"), "end") == "00:45"
    assert (await world.archive(DAY, NEXT))["unchanged"] == 1
    assert (await world.archive(NEXT, NEXT + timedelta(days=1)))["consumed"] == 1


async def test_both_on_their_first_night_are_archived_once_with_either_window_first(
    world: World,
) -> None:
    late = DAY + 23 * HOUR
    await world.open([event("Party", late, 60), event("Extended", NEXT, 45)])
    second = await world.archive(NEXT, NEXT + timedelta(days=1))
    assert (second["consumed"], second["archived"]) == (1, 0)
    first = await world.archive(DAY, NEXT)
    assert (first["archived"], first["updated"]) == (1, 0)
    assert clock(await world.copy("Party"), "end") == "00:45"
    assert await world.subjects() == ["Party"]


async def test_a_flagged_meeting_is_archived_with_its_modification(world: World) -> None:
    await world.open(
        [event("Early", NINE), event("Late", NINE + HOUR / 2, 60), event("Extended", NINE + 1.5 * HOUR, 30)],
        overlap_policy="flag",
    )
    report = await world.archive()
    assert (report["flagged"], report["consumed"]) == (2, 1)
    (group,) = await world.groups()
    await world.delete((await world.source("Late"))["id"])
    await world.delete((await world.source("Early"))["id"])
    await world.archive()
    await world.drive(await world.resolve(group["id"], "Late"))
    assert clock(await world.copy("Late"), "end") == "11:00"


async def test_a_duplicate_that_takes_over_a_copy_keeps_what_modifies_it(world: World) -> None:
    """It was decided alone, as if nothing modified it. The next night it was written once more."""
    await world.open([event("Review", NINE), event("Review", NINE)])
    await world.archive()
    (merged,) = await world.rows("SELECT merged_into FROM archived_events WHERE state = 'merged'")
    await world.delete(merged["merged_into"].removeprefix("s:"))
    await world.add(event("Extended", NINE + HOUR, 30))
    report = await world.archive()
    assert (report["updated"], report["consumed"], report["archived"]) == (1, 1, 0)
    assert clock(await world.copy("Review"), "end") == "10:30"
    again = await world.archive()
    assert (again["unchanged"], again["consumed"], again["updated"]) == (1, 1, 0)


async def test_the_modification_of_a_meeting_that_was_superseded_stays_consumed(world: World) -> None:
    await world.open([event("Review", NINE), event("Extended", NINE + HOUR, 30)])
    await world.archive()
    await again_at(world, NINE + 5 * HOUR, 120)
    report = await world.archive()
    assert (report["flagged"], report["consumed"], await hours(world)) == (1, 1, 1.5)
    # The item shows the meeting with its extension. The answer covers both.
    (shown,) = await world.rows("SELECT start_at, end_at FROM action_item_events WHERE side = 'archived'")
    assert (shown["start_at"], shown["end_at"]) == (NINE, NINE + 1.5 * HOUR)
    report = await world.answer(Answer.NEW_ONE_ONLY)
    assert (report["archived"], report["consumed"], report["orphan_modifications"]) == (1, 1, 0)
    assert (await counting(world), await hours(world)) == (["14:00"], 2.0)
    # One read more than the pages: whether the meeting is still gone.
    await nothing_more(world, 3)
    # After its owner changed it, it is an event of its own.
    await world.edit((await world.source("Extended"))["id"], location={"displayName": "Room 1"})
    report = await world.archive()
    assert (report["archived"], report["orphan_modifications"]) == (1, 1)
    assert await counting(world) == ["10:00", "14:00"]


async def test_the_modification_of_a_meeting_whose_copy_was_removed_stays_consumed(world: World) -> None:
    await world.open([event("Review", NINE), event("Extended", NINE + HOUR, 30)])
    await world.archive()
    source = (await world.source("Review"))["id"]
    await world.delete((await world.copy("Review"))["id"])
    # A run notices the removal when it writes the copy.
    await world.edit(source, location={"displayName": "Room 1"})
    await world.archive()
    (row,) = await world.rows("SELECT merged_into FROM archived_events WHERE state = 'consumed'")
    assert row["merged_into"] == f"s:{source}"
    await world.delete(source)
    report = await world.archive()
    assert (report["consumed"], report["orphan_modifications"], await world.subjects()) == (1, 0, [])
    states = await world.rows("SELECT state FROM archived_events ORDER BY state")
    assert [each["state"] for each in states] == ["consumed", "removed_by_owner"]
    await nothing_more(world, 3)
