"""What becomes of a decision about overlapping events when these events change (domain.md 5.9)."""

import pytest

from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_overlaps import HOUR, NINE, adds_up, pair
from tests.integration.archiving.world import World


@pytest.mark.parametrize("entered_again", [("Early",), ("Late",), ("Early", "Late")])
@pytest.mark.parametrize("policy", ["keep_all", "flag"])
async def test_a_decision_holds_for_events_that_are_entered_again(
    world: World, entered_again: tuple[str, ...], policy: str
) -> None:
    # What comes later makes the plan store the group before it has read all pages.
    entries = [*pair(), event("Later", NINE + 3 * 24 * HOUR, 30)]
    await world.open(entries, overlap_policy=policy)
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Late"))
    hours = await world.rows("SELECT subject FROM appointments WHERE excluded IS NULL ORDER BY subject")
    for entry in entries[:2]:
        if entry["subject"] in entered_again:
            await world.delete((await world.source(str(entry["subject"])))["id"])
            await world.add(entry)
    report = await world.archive()
    assert (report["archived"], adds_up(report)) == (0, True)
    assert hours == await world.rows(
        "SELECT subject FROM appointments WHERE excluded IS NULL ORDER BY subject"
    )
    assert "Early" not in {row["subject"] for row in hours}
    open_groups = [each for each in await world.groups() if each["status"] not in ("closed", "merged")]
    assert [(each["id"], each["status"]) for each in open_groups] == [(group["id"], "settled")]


@pytest.mark.parametrize("policy", ["keep_all", "flag"])
async def test_a_new_event_reopens_a_decided_overlap(world: World, policy: str) -> None:
    await world.open([*pair(), event("Later", NINE + 3 * 24 * HOUR, 30)], overlap_policy=policy)
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Late"))
    await world.add(event("Third", NINE + HOUR, 60, categories=["Acme - billable"]))
    report = await world.archive()
    waits = policy == "flag"
    assert (report["archived"], adds_up(report)) == (0 if waits else 1, True)
    (again,) = await world.groups()
    assert (again["id"], again["status"]) == (group["id"], "flagged" if waits else "recorded")
    if waits:
        # It is archived even if it vanishes, from what was kept of it.
        await world.delete((await world.source("Third"))["id"])
        await world.archive()
        await world.drive(await world.resolve(group["id"], "Third"))
    assert "Third" in await world.subjects()


async def test_a_changed_member_reopens_a_decided_group_with_the_proposal(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Early"))
    await world.edit((await world.source("Late"))["id"], subject="Late, changed")
    report = await world.archive()
    assert (report["unchanged"], report["flagged"], report["left_out"]) == (2, 1, 0)
    (group,) = await world.groups()
    assert (group["status"], group["resolution"]) == ("flagged", None)
    assert group["proposal"]["kept"] == [await world.key("Early")]
    assert group["expires_at"] is not None
    assert await world.subjects() == ["Alone", "Early"]


async def test_a_decision_about_a_group_ends_where_another_group_takes_it_in(world: World) -> None:
    first = [event("A", NINE, 60), event("B", NINE + HOUR / 2, 60)]
    second = [event("C", NINE + 2 * HOUR, 60), event("D", NINE + 2.5 * HOUR, 60)]
    await world.open([*first, *second])
    await world.archive()
    for kept in ("A", "C"):
        key = await world.key(kept)
        group = next(each for each in await world.groups() if key in each["members"])
        await world.drive(await world.resolve(group["id"], kept))
    left_out = "SELECT subject FROM appointments WHERE excluded = 'resolution' ORDER BY subject"
    assert [row["subject"] for row in await world.rows(left_out)] == ["B", "D"]
    await world.add(event("Between", NINE + 1.25 * HOUR, 60))
    await world.archive()
    statuses = {group["status"] for group in await world.groups()}
    assert statuses == {"merged", "recorded"}
    assert await world.rows(left_out) == []


async def test_a_vanished_copy_stays_left_out_when_another_event_reopens_its_group(world: World) -> None:
    await world.open(pair(), overlap_policy="keep_all")
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Late"))
    await world.delete((await world.source("Early"))["id"])
    await world.add(event("Third", NINE + HOUR, 15))
    await world.archive()
    left_out = await world.rows("SELECT subject FROM appointments WHERE excluded = 'resolution'")
    assert [each["subject"] for each in left_out] == ["Early"]


async def test_a_copy_stays_left_out_when_its_meeting_is_entered_again_on_another_page(world: World) -> None:
    await world.open([*pair(), event("Later", NINE + 30 * HOUR, 30)])
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Late"))
    # The first pages show the group before the last one shows that the meeting was entered again.
    await world.simulate(page_size_max=2)
    await world.delete((await world.source("Early"))["id"])
    await world.add(pair()[0])
    assert (await world.archive())["repointed"] == 1
    assert [each["status"] for each in await world.groups()] == ["settled"]
    left_out = await world.rows("SELECT subject FROM appointments WHERE excluded = 'resolution'")
    assert [each["subject"] for each in left_out] == ["Early"]


async def test_what_a_decision_left_out_counts_again_when_the_overlap_vanishes(world: World) -> None:
    await world.open(pair())
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Early"))
    left_out = "SELECT subject FROM appointments WHERE excluded = 'resolution'"
    assert [row["subject"] for row in await world.rows(left_out)] == ["Late"]
    away = event("x", NINE + 8 * HOUR, 60)
    await world.edit((await world.source("Early"))["id"], start=away["start"], end=away["end"])
    await world.archive()
    assert [group["status"] for group in await world.groups()] == ["closed"]
    assert await world.rows(left_out) == []


@pytest.mark.parametrize("deleted", ["Early", "Late"])
async def test_what_a_decision_left_out_stays_out_though_one_of_them_is_deleted(
    world: World, deleted: str
) -> None:
    await world.open(pair())
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Early"))
    await world.delete((await world.source(deleted))["id"])
    left_out = "SELECT subject FROM appointments WHERE excluded = 'resolution'"
    await world.archive()
    assert [row["subject"] for row in await world.rows(left_out)] == ["Late"]
    # Another overlap is another question, about what is still in the calendar.
    await world.add(event("Third", NINE + 1.1 * HOUR, 60))
    await world.archive()
    assert [row["subject"] for row in await world.rows(left_out)] == (["Late"] if deleted == "Late" else [])
