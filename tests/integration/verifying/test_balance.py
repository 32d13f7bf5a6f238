"""A verification explains every difference of its own totals (domain.md 2.15)."""

import random
from datetime import timedelta
from typing import Any

import pytest

from shared.database.models.verifications import Verification
from shared.schemas.verifications import VerificationResource
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_same_numbers import QUICK, diary
from tests.integration.archiving.world import DAY, World
from tests.integration.verifying.verifier import WEEK_END, Verifier, meetings

HOUR = timedelta(hours=1)


def balanced(verified: Verification) -> dict[str, dict[str, int]]:
    """What explains the differences, after looking whether it does."""
    explained: dict[str, dict[str, int]] = verified.explained or {}
    total = {part: sum(counts.values()) for part, counts in explained.items()}
    assert all(count > 0 for part in explained if part != "unread" for count in explained[part].values())
    assert (
        verified.records - total["records_without_copy"] + total["copies_without_record"] == verified.copies
    ), (verified.records, verified.copies, explained)
    assert (
        verified.records - total["records_without_source"] + total["sources_without_record"]
        == verified.source_events
    ), (verified.records, verified.source_events, explained)
    return explained


async def standing(world: World, calendar: str) -> int:
    """How many events start in the week, by the calendar itself."""
    starts = [each["start"]["dateTime"] for each in await world.events(calendar)]
    return sum(DAY.isoformat()[:19] <= each[:19] < WEEK_END.isoformat()[:19] for each in starts)


async def test_what_has_no_copy_of_its_own_is_explained(world: World, verifier: Verifier) -> None:
    await world.open(diary(), purpose="timesheet", overlap_policy="flag")
    await world.archive()
    verified = await verifier.verify(DAY, WEEK_END)
    assert balanced(verified)["records_without_copy"] == {
        "consumed": 1,
        "merged": 1,
        "left_out": 2,
        "flagged": 3,
    }
    assert (verified.records, verified.copies) == (13, 6)


async def test_what_vanished_before_it_was_archived_misses_no_copy(world: World, verifier: Verifier) -> None:
    await world.open([event("Early", DAY + 9 * HOUR), event("Late", DAY + 9 * HOUR)], overlap_policy="flag")
    await world.archive()
    for subject in ("Early", "Late"):
        await world.delete((await world.source(subject))["id"])
    assert (await world.archive())["source_deleted"] == 2
    verified = await verifier.verify(DAY, WEEK_END)
    assert balanced(verified)["records_without_copy"] == {"source_deleted": 2}
    assert await verifier.findings(verified) == []


async def test_each_difference_is_explained(world: World, verifier: Verifier) -> None:
    await world.open(meetings(9))
    refused = {"kind": "status", "status": 403, "match": {"method": "POST", "in_batch": True}}
    world.simulator.faults.add(refused)
    await world.archive()
    subjects = await world.subjects()
    await world.delete((await world.copy(subjects[0]))["id"])
    later = event("x", DAY + timedelta(days=30))
    await world.edit((await world.copy(subjects[1]))["id"], start=later["start"], end=later["end"])
    await world.add_to_archive(await world.copy(subjects[2]))
    await world.add_to_archive({**event("Not ours", DAY), "singleValueExtendedProperties": []})
    await world.delete((await world.source(subjects[3]))["id"])
    await world.edit((await world.source(subjects[4]))["id"], start=later["start"], end=later["end"])
    await world.add(event("Late", DAY + timedelta(days=1)))
    verified = await verifier.verify()
    explained = balanced(verified)
    assert explained["records_without_copy"] == {"missing": 1, "copy_elsewhere": 1, "failed": 1}
    assert explained["copies_without_record"] == {"second_copies": 1, "unknown": 1}
    assert explained["records_without_source"] == {"not_in_calendar": 2}
    assert explained["sources_without_record"] == {"not_archived": 1}
    shown = VerificationResource.of(verified, own=True).explained
    assert shown is not None
    assert shown.records_without_copy == explained["records_without_copy"]


async def test_what_cannot_be_read_is_no_difference(
    world: World, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.graph.retry.RetryPolicy", lambda: QUICK)
    await world.open(meetings(6))
    await world.archive()
    gone_by_id = (await world.source("Meeting 1"))["id"]
    copy = (await world.copy("Meeting 2"))["id"]
    for each in (gone_by_id, copy):
        world.fault("corrupt_event", each)
    verified = await verifier.verify()
    assert await verifier.found(verified) == []
    explained = balanced(verified)
    assert explained["records_without_copy"] == explained["records_without_source"] == {"unread": 1}
    assert explained["unread"] == {"source": 1, "archive": 1}


async def test_what_words_decide_about_is_one_number_for_others(world: World, verifier: Verifier) -> None:
    await world.open(diary(), purpose="timesheet", overlap_policy="flag")
    await world.archive()
    verified = await verifier.verify(DAY, WEEK_END)
    shown = VerificationResource.of(verified, own=False).explained
    assert shown is not None
    assert shown.records_without_copy == {"set_aside": 7}
    assert not await verifier.app.archiving.verifications.reads_own(world.admin, verified)


@pytest.mark.parametrize("seed", range(5))
async def test_the_totals_add_up_in_any_state(world: World, verifier: Verifier, seed: int) -> None:
    """Whatever people and Graph did to source and archive; the totals are those of the calendars."""
    chance = random.Random(seed)
    world.retries = QUICK
    policy = chance.choice(["keep_all", "flag", "auto"])
    await world.open(diary(), purpose=chance.choice(["general", "timesheet"]), overlap_policy=policy)
    for _ in range(2):
        if chance.random() < 0.5:
            match = {"method": chance.choice(["POST", "PATCH"]), "in_batch": True}
            world.simulator.faults.add({"kind": "status", "status": 403, "match": match, "times": 2})
        await world.archive()
        world.mend()
        for _ in range(4):
            await anything(world, chance)
    verified = await verifier.verify(DAY, WEEK_END)
    balanced(verified)
    assert (verified.source_events, verified.copies) == (
        await standing(world, "Calendar"),
        await standing(world, "Archive"),
    )


async def anything(world: World, chance: random.Random) -> None:
    """One thing that somebody does to one of the calendars."""
    calendar = chance.choice(["Calendar", "Archive"])
    found: list[dict[str, Any]] = await world.events(calendar)
    if not found:
        return
    one = chance.choice(found)
    start = DAY + timedelta(hours=chance.randrange(-48, 9 * 24))
    match chance.randrange(4):
        case 0:
            await world.delete(one["id"])
        case 1:
            times = event("x", start)
            await world.edit(one["id"], start=times["start"], end=times["end"])
        case 2 if calendar == "Archive":
            await world.add_to_archive(one)
        case 2:
            await world.add(event(f"New {start:%d %H}", start, categories=["Acme - billable"]))
        case _:
            await world.edit(one["id"], subject=f"Renamed {chance.randrange(100)}")
