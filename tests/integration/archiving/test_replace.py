"""Replace mode: every copy of the window rewritten in place, nothing deleted (domain.md 2.10)."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.copies.calendar_copy import Copy
from shared.domain.runs.archive_run import RunMode
from shared.errors import ValidationFailed
from shared.graph.calendar_adapter import CalendarAdapter
from shared.schemas.audit import AuditListQuery
from shared.services.audit.trail import AuditTrail
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_faults import INNER, OUTER, PATCHED, name
from tests.integration.archiving.test_same_meeting import archive_days, days_from_now, starts
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR


def three() -> list[dict[str, Any]]:
    """Three events in a row."""
    return [event(subject, NINE + n * HOUR, 30) for n, subject in enumerate(("One", "Two", "Three"))]


async def audited(world: World, action: str) -> list[dict[str, Any]]:
    """What the fields held before, of each row that the audit holds of an action."""
    trail = AuditTrail(world.database, world.person_keys)
    rows = (await trail.search(world.admin, AuditListQuery(action=action))).rows
    return [{each.field: each.before for each in row.changes} for row in rows]


async def test_it_rewrites_every_copy_in_place(world: World) -> None:
    await world.open(three())
    await world.archive()
    before = {copy["subject"]: copy["id"] for copy in await world.copies()}
    report = await world.replace()
    assert (report["updated"], report["archived"], report["source"]) == (3, 0, 3)
    assert {copy["subject"]: copy["id"] for copy in await world.copies()} == before
    assert len(await audited(world, "appointment.updated")) == 3
    assert (await world.archive())["unchanged"] == 3


async def test_it_needs_a_window(world: World) -> None:
    await world.open(three())
    with pytest.raises(ValidationFailed):
        await world.start_run(world.admin, None, None, RunMode.REPLACE)


async def test_an_owners_edit_is_overwritten_and_kept_in_the_log(world: World) -> None:
    await world.open(three())
    await world.archive()
    await world.edit((await world.copy("Two"))["id"], subject="By hand", location={"displayName": "Here"})
    report = await world.replace()
    assert (report["updated"], report["conflict"], report["state"]) == (3, 0, "completed")
    assert await world.subjects() == ["One", "Three", "Two"]
    (replaced,) = await audited(world, "appointment.owner_edit_replaced")
    assert replaced["subject"] == "By hand"


async def test_replacing_resolves_a_conflict_of_a_night(world: World) -> None:
    await world.open(three())
    await world.archive()
    await world.edit((await world.copy("Two"))["id"], subject="By hand")
    await world.edit((await world.source("Two"))["id"], subject="Second")
    assert (await world.archive())["conflict"] == 1
    assert (await world.replace())["updated"] == 3
    assert (await world.archive())["unchanged"] == 3
    assert await world.subjects() == ["One", "Second", "Three"]


async def test_only_what_is_gone_is_made_again_in_the_next_generation(world: World) -> None:
    await world.open(three())
    await world.archive()
    await world.delete((await world.copy("Two"))["id"])
    report = await world.replace()
    assert (report["updated"], report["archived"], report["state"]) == (2, 1, "completed")
    assert await world.subjects() == ["One", "Three", "Two"]
    assert set((await world.copies_by_key()).values()) == {1}
    generations = await world.rows(
        "SELECT generation, state, copy_id FROM archived_events ORDER BY generation"
    )
    assert [row["generation"] for row in generations] == [0, 0, 1]
    assert {row["state"] for row in generations} == {"present"}
    assert (await world.archive())["unchanged"] == 3


async def test_a_copy_known_to_be_removed_comes_back_only_by_replacing(world: World) -> None:
    await world.open(three())
    await world.archive()
    await world.delete((await world.copy("Two"))["id"])
    await world.edit((await world.source("Two"))["id"], subject="Second")
    assert (await world.archive())["conflict"] == 1
    report = await world.replace()
    assert (report["updated"], report["archived"]) == (2, 1)
    assert await world.subjects() == ["One", "Second", "Three"]


@pytest.mark.parametrize("answer", ["409", "201_existing"])
async def test_an_event_whose_copy_was_made_again_gets_another_one_when_it_is_used_again(
    world: World, answer: str
) -> None:
    took_place, next_week = days_from_now(world, -2), days_from_now(world, 5)
    world.simulator.settings.update({"duplicate_transaction": answer})
    await world.open([event("Review", took_place)])
    await archive_days(world, -3, 0)
    await world.delete((await world.copy("Review"))["id"])
    await world.replace(days_from_now(world, -3), days_from_now(world, 0))
    later = event("x", next_week)
    await world.edit((await world.source("Review"))["id"], start=later["start"], end=later["end"])
    # Both rows are of the second generation now. Graph still remembers the create of the first row.
    assert (await archive_days(world, -3, 7))["archived"] == 1
    assert await starts(world) == [f"{each:%Y-%m-%dT%H:%M}" for each in (took_place, next_week)]
    assert set((await world.copies_by_key()).values()) == {1}


@pytest.mark.parametrize("trouble", INNER, ids=name)
async def test_trouble_on_the_way_changes_nothing_in_the_end(world: World, trouble: dict[str, Any]) -> None:
    await world.open(three())
    await world.archive()
    await world.delete((await world.copy("Two"))["id"])
    await world.edit((await world.copy("One"))["id"], subject="By hand")
    world.simulator.faults.add({"match": PATCHED, "times": 2, **trouble})
    await world.replace()
    report = await world.replace()
    assert report["state"] == "completed"
    assert await world.subjects() == ["One", "Three", "Two"]
    assert set((await world.copies_by_key()).values()) == {1}


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_lost_answer_never_makes_a_second_copy(world: World, lost: int) -> None:
    await world.open(three())
    await world.archive()
    await world.delete((await world.copy("Two"))["id"])
    world.simulator.faults.add({"match": OUTER, "kind": "lost_answer", "skip": lost - 1})
    report = await world.replace()
    assert (report["state"], report["archived"], report["updated"]) == ("completed", 1, 2)
    assert set((await world.copies_by_key()).values()) == {1}
    assert await world.subjects() == ["One", "Three", "Two"]


async def test_a_copy_that_stale_reads_hide_is_not_made_again(world: World) -> None:
    await world.open(three())
    await world.archive()
    await world.edit((await world.copy("Two"))["id"], subject="By hand")
    # Graph refuses to overwrite the copy, which proves that it exists. Four stale reads do not show it.
    world.hide_new_copies(times=4)
    report = await world.replace()
    assert (report["state"], report["archived"], report["updated"]) == ("completed", 0, 3)
    assert await world.subjects() == ["One", "Three", "Two"]
    assert set((await world.copies_by_key()).values()) == {1}


async def test_a_read_of_the_time_before_an_owners_edit_does_not_say_that_it_was_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open(three())
    await world.archive()
    edited = (await world.copy("Two"))["id"]
    before = [await world.calendars.get_copy(str(world.person_id), edited)]
    await world.edit(edited, subject="By hand")
    get_copy = CalendarAdapter.get_copy

    async def stale_first(self: CalendarAdapter, mailbox: str, copy_id: str) -> Copy | None:
        return before.pop() if before else await get_copy(self, mailbox, copy_id)

    monkeypatch.setattr(CalendarAdapter, "get_copy", stale_first)
    report = await world.replace()
    assert (report["state"], report["updated"]) == ("completed", 3)
    assert await world.subjects() == ["One", "Three", "Two"]


async def test_a_crash_after_the_create_finds_its_copy_again(world: World) -> None:
    await world.open(three())
    await world.archive()
    await world.delete((await world.copy("Two"))["id"])
    run = (await world.start_run(world.admin, DAY, DAY + timedelta(days=7), RunMode.REPLACE)).run
    await world.plan(run.id)
    world.simulator.faults.add({"match": OUTER, "kind": "lost_answer", "skip": 1})
    await world.apply(run.id)
    # Another worker takes the run up where this one ended.
    await world.drive(run.id, world.service())
    assert set((await world.copies_by_key()).values()) == {1}
    assert await world.subjects() == ["One", "Three", "Two"]
    assert (await world.archive())["unchanged"] == 3
