"""A meeting keeps its one copy, whatever is done to it in the source (domain.md 2.3, 2.4, 2.16, 2.17)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.events.source_event import detached_key
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_locked_periods import MONDAY, lock
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR
WEEK = timedelta(days=7)


def recurrence(first: datetime, count: int) -> dict[str, Any]:
    """Every day, this many times."""
    return {
        "pattern": {"type": "daily", "interval": 1},
        "range": {
            "type": "numbered",
            "startDate": f"{first:%Y-%m-%d}",
            "numberOfOccurrences": count,
        },
    }


def daily(subject: str, first: datetime = NINE, count: int = 5, **fields: Any) -> dict[str, Any]:
    """A series of meetings of a quarter of an hour."""
    return event(subject, first, 15, recurrence=recurrence(first, count), **fields)


async def master_of(world: World, subject: str = "Standup") -> str:
    """The id of the series of a subject."""
    return str((await world.source(subject))["seriesMasterId"])


async def on(world: World, day: str, subject: str = "Standup") -> dict[str, Any]:
    """The source event of a day."""
    return next(
        e
        for e in await world.events("Calendar")
        if e["start"]["dateTime"].startswith(day) and e["subject"] == subject
    )


async def starts(world: World) -> list[str]:
    """When the copies that count start."""
    return sorted(copy["start"]["dateTime"][:16] for copy in await world.copies() if copy["showAs"] != "free")


FIVE = [f"2026-03-{day:02}T09:00" for day in range(2, 7)]


async def nothing_more(world: World, reads: int = 2) -> None:
    """Archiving again, unchanged, writes nothing and reads the pages once."""
    before = await world.copies()
    world.simulator.counters.reset()
    again = await world.archive()
    assert (again["archived"], again["updated"], adds_up(again)) == (0, 0, True)
    assert await world.copies() == before
    assert world.counts()["writes"] == 0, world.counts()
    assert world.counts()["reads"] <= reads, world.counts()


async def test_a_series_moved_by_an_hour_leaves_what_was_archived(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    ten = event("x", NINE + HOUR, 15)
    await world.edit(await master_of(world), start=ten["start"], end=ten["end"])
    report = await world.archive()
    assert (await starts(world), report["unchanged"], adds_up(report)) == (FIVE, 5, True)
    await nothing_more(world)


async def test_texts_of_a_moved_series_follow(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    ten = event("x", NINE + HOUR, 15)
    master = await master_of(world)
    await world.edit(master, start=ten["start"], end=ten["end"], subject="Daily", showAs="free")
    assert (await world.archive())["updated"] == 5
    assert (set(await world.subjects()), await starts(world)) == ({"Daily"}, FIVE)
    await nothing_more(world)


async def test_a_series_split_by_this_and_following_has_one_copy_each(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    copies = {copy["id"] for copy in await world.copies()}
    master = await master_of(world)
    await world.edit(master, recurrence=recurrence(NINE, 2))
    await world.add(daily("Standup", NINE + 50 * HOUR, 3))
    report = await world.archive()
    assert (await starts(world), adds_up(report)) == (FIVE, True)
    assert {copy["id"] for copy in await world.copies()} == copies
    assert (report["repointed"], report["updated"], report["source_deleted"]) == (3, 3, 0)
    await nothing_more(world)


async def test_a_single_event_entered_again_keeps_its_copy(world: World) -> None:
    await world.open([event("Review", NINE)])
    await world.archive()
    copy = await world.copy("Review")
    await world.delete((await world.source("Review"))["id"])
    await world.add(event("Review", NINE))
    report = await world.archive()
    assert (report["repointed"], report["updated"], report["archived"]) == (1, 1, 0)
    assert (await world.copy("Review"))["id"] == copy["id"]
    await nothing_more(world)


async def test_a_series_moved_by_a_day_keeps_the_days_that_were_archived(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    tuesday = event("x", NINE + 24 * HOUR, 15)
    await world.edit(await master_of(world), start=tuesday["start"], end=tuesday["end"])
    report = await world.archive()
    assert (await starts(world), adds_up(report)) == (FIVE[:3], True)
    assert (report["archived"], report["source_deleted"]) == (0, 1)
    await nothing_more(world)


async def test_an_extended_meeting_that_is_deleted_stays_as_long_as_it_was(world: World) -> None:
    await world.open([event("Review", NINE), event("Extended", NINE + HOUR, 30)])
    await world.archive()
    await world.delete((await world.source("Review"))["id"])
    report = await world.archive()
    assert (report["consumed"], report["archived"], report["source_deleted"]) == (1, 0, 1)
    assert await world.subjects() == ["Review"]
    await nothing_more(world)


async def test_a_modification_that_its_living_meeting_left_behind_is_an_orphan(world: World) -> None:
    await world.open([event("Review", NINE), event("Extended", NINE + HOUR, 30)])
    await world.archive()
    later = event("x", NINE + 72 * HOUR)
    await world.edit((await world.source("Review"))["id"], start=later["start"], end=later["end"])
    report = await world.archive()
    assert (report["orphan_modifications"], report["archived"], report["updated"]) == (1, 1, 1)
    assert await world.subjects() == ["Extended", "Review"]
    await nothing_more(world)


async def test_a_modification_follows_its_meeting_that_is_entered_again(world: World) -> None:
    await world.open([event("Review", NINE), event("Extended", NINE + HOUR, 30)])
    await world.archive()
    await world.delete((await world.source("Review"))["id"])
    await world.add(event("Review", NINE))
    report = await world.archive()
    assert (report["consumed"], report["archived"], report["repointed"]) == (1, 0, 1)
    assert (await world.copy("Review"))["end"]["dateTime"].startswith("2026-03-02T10:30")
    await nothing_more(world)


async def test_a_changed_pattern_invents_no_days_in_the_past(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    changed = recurrence(NINE, 3)
    changed["pattern"]["interval"] = 2
    await world.edit(await master_of(world), recurrence=changed)
    report = await world.archive()
    assert (await starts(world), report["left_out"]) == (FIVE[:3], 1)
    await nothing_more(world)


async def test_an_exception_that_its_series_resets_stays_as_it_took_place(world: World) -> None:
    await world.open([daily("Standup")])
    moved = event("x", NINE + 50 * HOUR, 45)
    await world.edit(
        (await on(world, "2026-03-04"))["id"], start=moved["start"], end=moved["end"], subject="Long standup"
    )
    await world.archive()
    ten = event("x", NINE + HOUR, 15)
    master = await master_of(world)
    await world.edit(master, start=ten["start"], end=ten["end"], categories=["Acme - billable"])
    await world.archive()
    copy = await world.copy("Long standup")
    assert copy["start"]["dateTime"][:16] == "2026-03-04T11:00"
    assert copy["categories"] == ["Acme - billable"]
    assert len(await world.copies()) == 5
    await nothing_more(world)


async def test_of_two_entered_again_without_category_one_is_archived(world: World) -> None:
    await world.open([event("Review", NINE, categories=["Acme - billable"])])
    await world.archive()
    await world.delete((await world.source("Review"))["id"])
    await world.add(event("Review", NINE), event("Review", NINE))
    assert (await world.archive())["merged"] == 1
    assert (await world.archive())["merged"] == 1
    (copy,) = await world.copies()
    assert copy["categories"] == ["Acme - billable"]
    await nothing_more(world)


async def test_a_series_entered_late_is_archived_as_any_other(world: World) -> None:
    await world.open([event("First", NINE)])
    await world.archive()
    await world.add(daily("Standup"))
    assert (await world.archive())["archived"] == 5
    await nothing_more(world)


async def test_an_invitation_made_again_keeps_the_owners_category(world: World) -> None:
    await world.open([event("Review", NINE, categories=["Acme - billable"], iCalUId="one")])
    await world.archive()
    await world.delete((await world.source("Review"))["id"])
    await world.add(event("Review", NINE, iCalUId="another", body={"contentType": "html", "content": "New"}))
    assert (await world.archive())["updated"] == 1
    copy = await world.copy("Review")
    assert (copy["categories"], "New" in copy["body"]["content"]) == (["Acme - billable"], True)
    await nothing_more(world)
    await world.edit((await world.source("Review"))["id"], categories=["Beta - billable"])
    await world.archive()
    assert (await world.copy("Review"))["categories"] == ["Beta - billable"]


@pytest.mark.parametrize("locked", [False, True])
async def test_an_invitation_is_known_although_only_the_map_named_it(world: World, locked: bool) -> None:
    await world.open([event("Call", NINE, iCalUId="one")])
    await world.archive()
    if locked:
        await lock(world, MONDAY)
    await world.delete((await world.source("Call"))["id"])
    await world.add(event("Call", NINE, iCalUId="another"))
    # Monday is in the margin of a run of Sunday.
    report = await world.archive(DAY - 24 * HOUR, DAY + 24 * HOUR * locked)
    assert (report["repointed"], report["updated"], report["locked"]) == (1, 0, int(locked))
    await world.delete((await world.source("Call"))["id"])
    await world.add(event("Renamed", NINE, iCalUId="another"), event("Call", NINE + 4 * HOUR))
    assert (await world.archive())["repointed"] == 1
    assert await world.items() == []
    assert await starts(world) == ["2026-03-02T09:00", "2026-03-02T13:00"][: 2 - locked]


async def test_of_three_calls_a_day_two_entered_again_keep_their_copies(world: World) -> None:
    calls = [event("Call", NINE + hours * HOUR, 30) for hours in (0, 2, 4)]
    await world.open(calls)
    await world.archive()
    copies = {copy["id"]: copy["start"]["dateTime"] for copy in await world.copies()}
    for each in (await world.events("Calendar"))[:2]:
        await world.delete(each["id"])
        await world.add(event("Call", datetime.fromisoformat(each["start"]["dateTime"][:19]), 30))
    report = await world.archive()
    assert (report["repointed"], report["archived"]) == (2, 0)
    assert {copy["id"]: copy["start"]["dateTime"] for copy in await world.copies()} == copies
    await nothing_more(world)


async def test_a_single_event_that_became_a_series_and_back_keeps_its_copies(world: World) -> None:
    await world.open([event("Standup", NINE, 15)])
    await world.archive()
    copy = await world.copy("Standup")
    source = (await world.source("Standup"))["id"]
    await world.edit(source, recurrence=recurrence(NINE, 3))
    assert (await world.archive())["archived"] == 2
    assert copy["id"] in {each["id"] for each in await world.copies()}
    await world.edit(source, recurrence=None)
    report = await world.archive()
    assert (len(await world.copies()), report["source_deleted"], report["repointed"]) == (3, 2, 1)
    await nothing_more(world)


async def test_an_event_moved_to_another_calendar_and_back_has_one_copy(world: World) -> None:
    await world.open([event("Review", NINE)])
    await world.archive()
    source = (await world.source("Review"))["id"]
    await world.move(source, "Archive")
    await world.archive()
    await world.move(source, "Calendar")
    await world.archive()
    assert await world.subjects() == ["Review"]
    await nothing_more(world)


async def test_what_lies_in_no_calendar_is_gone(world: World) -> None:
    await world.open([event("Review", NINE), event("Standup", NINE + HOUR)])
    await world.archive()
    await world.simulate(deleted_items="found")
    await world.delete((await world.source("Review"))["id"])
    report = await world.archive()
    assert (report["source_deleted"], report["updated"]) == (1, 0)
    (row,) = await world.rows("SELECT source_deleted_at FROM appointments WHERE subject = 'Review'")
    assert row["source_deleted_at"] is not None


def days_from_now(world: World, days: int) -> datetime:
    """Nine o'clock on another day than today."""
    return (world.clock.now() + timedelta(days=days)).replace(hour=9, minute=0, second=0, microsecond=0)


async def archive_days(world: World, first: int, last: int) -> dict[str, Any]:
    """Archive whole days, from one to before the other, counted from today."""
    start, end = days_from_now(world, first), days_from_now(world, last)
    return await world.archive(start.replace(hour=0), end.replace(hour=0))


async def test_an_event_dragged_to_next_week_after_it_was_archived_took_place(world: World) -> None:
    took_place = days_from_now(world, -2)
    await world.open([event("Review", took_place), event("Other", took_place + 2 * HOUR)])
    await archive_days(world, -3, 0)
    later = event("x", days_from_now(world, 5))
    await world.edit((await world.source("Review"))["id"], start=later["start"], end=later["end"])
    again = await archive_days(world, -3, 0)
    assert (again["source"], again["unchanged"], again["source_deleted"]) == (1, 1, 0)
    assert (await world.copy("Review"))["start"]["dateTime"][:10] == f"{took_place:%Y-%m-%d}"
    next_week = days_from_now(world, 5)
    world.clock.advance(days=7)
    assert (await archive_days(world, -3, 0))["archived"] == 1
    assert await starts(world) == [
        f"{took_place:%Y-%m-%dT%H:%M}",
        f"{took_place + 2 * HOUR:%Y-%m-%dT%H:%M}",
        f"{next_week:%Y-%m-%dT%H:%M}",
    ]
    assert (await archive_days(world, -14, 0))["archived"] == 0


async def test_a_series_ends_before_a_day_that_only_its_long_occurrence_reaches(world: World) -> None:
    await world.open([daily("Standup", count=3)])
    await world.archive()
    await world.edit(await master_of(world), recurrence=recurrence(NINE, 1))
    long = event("x", NINE, 24 * 60 + 30)
    await world.edit((await on(world, "2026-03-02"))["id"], end=long["end"])
    await world.add(daily("Standup", NINE + 25 * HOUR, 2))
    report = await world.archive()
    assert (report["repointed"], report["flagged"], adds_up(report)) == (2, 0, True)
    assert [item["question"] for item in await world.items()] == ["series_changed"]
    assert await starts(world) == FIVE[:3]


async def test_the_id_of_a_row_that_was_left_behind_is_asked_of_nobody(world: World) -> None:
    await world.open([event("Review", NINE)])
    source = await world.source("Review")
    left = detached_key(source["id"], NINE.date())
    found = await world.calendars.get_events(str(world.person_id), None, [source["id"], left])
    assert (found[source["id"]] is not None, found[left]) == (True, None)


async def test_an_event_dragged_on_and_back_has_one_copy(world: World) -> None:
    took_place = days_from_now(world, -2)
    await world.open([event("Review", took_place)])
    await archive_days(world, -3, 0)
    source = (await world.source("Review"))["id"]
    later, before = event("x", days_from_now(world, 5)), event("x", took_place)
    await world.edit(source, start=later["start"], end=later["end"])
    await archive_days(world, -3, 0)
    await world.edit(source, start=before["start"], end=before["end"])
    report = await archive_days(world, -3, 0)
    assert (report["repointed"], len(await world.copies())) == (1, 1)
    assert (await archive_days(world, -3, 0))["unchanged"] == 1


async def test_an_event_that_was_moved_before_it_was_archived_again_is_updated_once(world: World) -> None:
    took_place = days_from_now(world, -4)
    await world.open([event("Review", took_place)])
    await archive_days(world, -5, 0)
    corrected = event("x", took_place + 26 * HOUR)
    await world.edit((await world.source("Review"))["id"], start=corrected["start"], end=corrected["end"])
    assert (await archive_days(world, -5, 0))["updated"] == 1
    assert await starts(world) == [f"{took_place + 26 * HOUR:%Y-%m-%dT%H:%M}"]


async def test_two_occurrences_on_one_day_have_a_copy_each(world: World) -> None:
    await world.open([daily("Standup", count=5)])
    await world.archive()
    third = await on(world, "2026-03-04")
    await world.delete((await on(world, "2026-03-03"))["id"])
    moved = event("x", NINE + 26 * HOUR, 15)
    await world.edit(third["id"], start=moved["start"], end=moved["end"])
    report = await world.archive()
    assert (report["updated"], report["source_deleted"]) == (1, 1)
    assert await starts(world) == [*FIVE[:2], "2026-03-03T11:00", *FIVE[3:]]
    await nothing_more(world)


@pytest.mark.parametrize("until", [0, 7])
async def test_an_event_dragged_on_and_entered_again_where_it_was_has_one_copy_there(
    world: World, until: int
) -> None:
    took_place = days_from_now(world, -2)
    await world.open([event("Review", took_place)])
    await archive_days(world, -3, 0)
    (copy,) = await world.copies()
    later = event("x", days_from_now(world, 5))
    await world.edit((await world.source("Review"))["id"], start=later["start"], end=later["end"])
    await world.add(event("Review", took_place))
    report = await archive_days(world, -3, until)
    assert (report["repointed"], report["archived"], adds_up(report)) == (1, int(until > 0), True)
    there = [each for each in await world.copies() if each["start"] == copy["start"]]
    assert [each["id"] for each in there] == [copy["id"]]
    assert [(each["question"], each["status"]) for each in await world.items()] == [("moved_on", "closed")]
    assert (await archive_days(world, -3, until))["archived"] == 0
