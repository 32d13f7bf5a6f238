"""Overlapping events from the plan to the decision and the archive (domain.md 5)."""

from datetime import timedelta

import pytest

from shared import telemetry
from shared.domain.expected_version import ExpectedVersion
from shared.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR
TEN_OUTCOMES = (
    *("archived", "updated", "unchanged", "merged", "consumed"),
    *("left_out", "flagged", "locked", "conflict", "failed"),
)


def pair() -> list[dict[str, object]]:
    """Two events that overlap and one beside them."""
    return [event("Early", NINE, 60), event("Late", NINE + HOUR / 2, 60), event("Alone", NINE + 5 * HOUR, 30)]


def adds_up(report: dict[str, int]) -> bool:
    """Whether each source event is in exactly one outcome."""
    return sum(report[name] for name in TEN_OUTCOMES) == report["source"]


async def test_keep_all_archives_the_group_and_records_it(world: World) -> None:
    await world.open(pair())
    report = await world.archive()
    assert (report["archived"], report["overlaps_recorded"], report["overlaps_flagged"]) == (3, 1, 0)
    (group,) = await world.groups()
    assert (group["status"], group["member_count"], group["expires_at"]) == ("recorded", 2, None)
    assert (await world.archive())["unchanged"] == 3
    assert (await world.groups())[0]["version"] == 1


async def test_a_flagged_group_waits_and_is_archived_as_its_owner_says(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    report = await world.archive()
    assert (report["archived"], report["flagged"], report["overlaps_flagged"]) == (1, 2, 1)
    assert adds_up(report)
    assert await world.subjects() == ["Alone"]
    again = await world.archive()
    assert (again["unchanged"], again["flagged"]) == (1, 2)
    (group,) = await world.groups()
    assert (group["status"], group["version"]) == ("flagged", 1)

    report = await world.drive(await world.resolve(group["id"], "Late"))
    assert (report["archived"], report["left_out"]) == (1, 1)
    assert await world.subjects() == ["Alone", "Late"]
    (group,) = await world.groups()
    assert (group["status"], group["archive_due_at"]) == ("settled", None)
    assert group["resolution"]["kept"] == [await world.key("Late")]
    assert group["log"][-1]["by"] == world.admin.actor
    report = await world.archive()
    assert (report["unchanged"], report["left_out"], report["archived"]) == (2, 1, 0)
    assert adds_up(report)


async def test_a_decision_is_checked_and_meant_for_one_version(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await world.archive()
    (group,) = await world.groups()
    with pytest.raises(ValidationFailed, match="overlap"):
        await world.resolve(group["id"], "Early", "Late")
    with pytest.raises(ValidationFailed, match="members"):
        await world.resolve(group["id"], "Alone")
    with telemetry.bind(caller=world.admin, correlation="test"):
        with pytest.raises(PreconditionFailed):
            await world.resolving.resolve(world.admin, group["id"], None, expected=ExpectedVersion.of(["7"]))
        with pytest.raises(NotFound):
            await world.resolving.resolve(world.admin, world.tenant_id, None)
    await world.drive(await world.resolve(group["id"]))
    assert await world.subjects() == ["Alone", "Early", "Late"]
    await world.delete((await world.source("Early"))["id"])
    await world.archive()
    with pytest.raises(Conflict):
        await world.resolve(group["id"])


async def test_a_decision_that_comes_while_copies_are_written_leaves_out_what_it_says(world: World) -> None:
    await world.open(pair(), overlap_policy="keep_all")
    run = await world.request()
    await world.plan(run.id)
    (group,) = await world.groups()
    decided = await world.resolve(group["id"], "Late")
    await world.drive(run.id)
    await world.drive(decided)
    left_out = await world.rows("SELECT subject, excluded FROM appointments WHERE excluded IS NOT NULL")
    assert [tuple(each.values()) for each in left_out] == [("Early", "resolution")]


async def test_an_undecided_group_expires_and_all_of_it_is_archived_marked_unresolved(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await world.archive()
    assert await world.resolving.expire_due() == []
    world.clock.advance(days=31)
    (run_id,) = await world.resolving.expire_due()
    assert await world.resolving.expire_due() == []
    report = await world.drive(run_id)
    assert report["archived"] == 2
    assert await world.subjects() == ["Alone", "Early", "Late"]
    unresolved = await world.rows("SELECT subject FROM appointments WHERE unresolved ORDER BY subject")
    assert [row["subject"] for row in unresolved] == ["Early", "Late"]
    (group,) = await world.groups()
    assert (group["status"], group["settled_by"]) == ("expired", "system:expire_overlaps")
    # Its owner may still decide; what is archived stays, and counts no more.
    await world.drive(await world.resolve(group["id"], "Early"))
    assert await world.subjects() == ["Alone", "Early", "Late"]
    (row,) = await world.rows("SELECT subject FROM appointments WHERE excluded = 'resolution'")
    assert row["subject"] == "Late"
    assert await world.rows("SELECT subject FROM appointments WHERE unresolved") == []


async def test_what_vanished_while_it_waited_is_archived_from_what_was_kept_of_it(world: World) -> None:
    people = [{"emailAddress": {"name": "Bo", "address": "bo@example.test"}, "type": "required"}]
    both = pair()
    both[0] |= {"attendees": people, "categories": ["Acme - billable"]}
    await world.open(both, overlap_policy="flag")
    await world.archive()
    (group,) = await world.groups()
    for subject in ("Early", "Late"):
        await world.delete((await world.source(subject))["id"])
    report = await world.archive()
    assert report["source_deleted"] == 2
    assert (await world.groups())[0]["status"] == "flagged"
    report = await world.drive(await world.resolve(group["id"], "Early"))
    assert (report["archived"], report["state"]) == (1, "completed")
    assert await world.subjects() == ["Alone", "Early"]
    (row,) = await world.rows("SELECT attendees, source_deleted_at FROM appointments WHERE subject = 'Early'")
    assert row["attendees"][0]["address"] == "bo@example.test"
    assert row["source_deleted_at"] is not None
    assert set((await world.copies_by_key()).values()) == {1}
    assert (await world.archive())["archived"] == 0


async def test_one_that_vanished_still_waits_when_the_other_is_archived(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await world.archive()
    await world.delete((await world.source("Early"))["id"])
    report = await world.archive()
    assert (report["archived"], report["source_deleted"]) == (1, 1)
    assert await world.subjects() == ["Alone", "Late"]
    (group,) = await world.groups()
    assert group["status"] == "flagged"
    world.clock.advance(days=31)
    (run_id,) = await world.resolving.expire_due()
    await world.drive(run_id)
    assert await world.subjects() == ["Alone", "Early", "Late"]


@pytest.mark.parametrize("looked_between", [False, True])
async def test_one_that_waits_and_is_entered_again_is_archived_once(
    world: World, looked_between: bool
) -> None:
    await world.open(pair(), overlap_policy="flag")
    await world.archive()
    await world.delete((await world.source("Early"))["id"])
    if looked_between:
        await world.archive()
    await world.add(event("Early", NINE, 60))
    report = await world.archive()
    assert (report["repointed"], adds_up(report)) == (1, True)
    if not looked_between:
        assert await world.subjects() == ["Alone"]
    world.clock.advance(days=31)
    for run_id in await world.resolving.expire_due():
        await world.drive(run_id)
    await world.archive()
    assert await world.subjects() == ["Alone", "Early", "Late"]


async def test_a_group_whose_overlap_vanished_closes_and_its_events_are_archived(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await world.archive()
    later = event("Late", NINE + 2 * HOUR)
    await world.edit((await world.source("Late"))["id"], start=later["start"], end=later["end"])
    report = await world.archive()
    assert (report["archived"], report["flagged"]) == (2, 0)
    (group,) = await world.groups()
    assert group["status"] == "closed"


async def test_the_rules_decide_and_flag_what_remains(world: World) -> None:
    await world.open(
        [
            event("Maybe", NINE, 60, showAs="tentative"),
            event("Sure", NINE + HOUR / 2, 60),
            event("One", NINE + 4 * HOUR),
            event("Other", NINE + 4 * HOUR + HOUR / 2),
        ],
        overlap_policy="auto",
    )
    report = await world.archive()
    assert (report["archived"], report["left_out"], report["flagged"]) == (1, 1, 2)
    assert (report["overlaps_resolved"], report["overlaps_flagged"]) == (1, 1)
    assert adds_up(report)
    assert await world.subjects() == ["Sure"]
    groups = {group["status"]: group for group in await world.groups()}
    (step,) = groups["resolved"]["log"]
    assert (step["rule"], step["by"]) == ("tentative", "rule")
    (left,) = await world.rows("SELECT left_out FROM archived_events WHERE state = 'left_out'")
    assert left["left_out"] == "overlap_rule"
    again = await world.archive()
    assert (again["unchanged"], again["left_out"], again["flagged"], again["updated"]) == (1, 1, 2, 0)
    assert all(group["version"] == 1 for group in await world.groups())


async def test_importance_compared_by_its_meaning_decides(world: World) -> None:
    await world.open(
        [event("High", NINE, 60, importance="high"), event("Low", NINE + HOUR / 2, 60, importance="low")],
        overlap_policy="auto",
    )
    assert (await world.archive())["overlaps_resolved"] == 1
    assert await world.subjects() == ["High"]


async def test_two_groups_that_meet_become_the_older_one(world: World) -> None:
    await world.open(
        [
            event("A", NINE),
            event("B", NINE + HOUR / 2),
            event("C", NINE + 3 * HOUR),
            event("D", NINE + 3.5 * HOUR),
        ],
        overlap_policy="flag",
    )
    await world.archive(DAY, DAY + timedelta(days=1))
    older, younger = await world.groups()
    await world.add(event("Bridge", NINE + 1.25 * HOUR, 120))
    report = await world.archive()
    assert (report["flagged"], report["archived"]) == (5, 0)
    merged = {group["id"]: group for group in await world.groups()}
    (survivor,) = [group for group in merged.values() if group["status"] == "flagged"]
    (absorbed,) = [group for group in merged.values() if group["status"] == "merged"]
    assert {survivor["id"], absorbed["id"]} == {older["id"], younger["id"]}
    assert (absorbed["merged_into"], survivor["member_count"]) == (survivor["id"], 5)
    assert len(survivor["members"]) == 5


async def test_a_decision_survives_a_process_that_dies_before_its_run(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await world.archive()
    (group,) = await world.groups()
    run_id = await world.resolve(group["id"], "Late")
    await world.rows("DELETE FROM archive_runs WHERE id = :id RETURNING id", id=run_id)
    assert await world.resolving.carry_out_due() == []
    world.clock.advance(minutes=20)
    (again,) = await world.resolving.carry_out_due()
    assert (await world.drive(again))["archived"] == 1
    world.clock.advance(minutes=20)
    assert await world.resolving.carry_out_due() == []


async def test_a_group_across_midnight_is_one_for_both_days(world: World) -> None:
    late = DAY + timedelta(hours=23)
    await world.open([event("Tonight", late, 120), event("Tomorrow", DAY + timedelta(days=1), 60)])
    await world.configure(overlap_policy="flag")
    first = await world.archive(DAY, DAY + timedelta(days=1))
    assert (first["source"], first["flagged"]) == (1, 1)
    second = await world.archive(DAY + timedelta(days=1), DAY + timedelta(days=2))
    assert (second["source"], second["flagged"]) == (1, 1)
    (group,) = await world.groups()
    assert (group["member_count"], group["version"]) == (2, 1)
    assert (await world.archive(DAY, DAY + timedelta(days=1)))["flagged"] == 1
    await world.drive(await world.resolve(group["id"], "Tomorrow"))
    assert await world.subjects() == ["Tomorrow"]


async def test_an_event_of_many_days_keeps_its_decision_while_the_window_moves_on(world: World) -> None:
    await world.open(
        [event("Conference", DAY, 5 * 24 * 60)]
        + [event(f"Talk {n}", DAY + timedelta(days=n, hours=9), 60) for n in range(5)],
        overlap_policy="flag",
    )
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"]))
    version = (await world.groups())[0]["version"]
    for day in range(2, 5):
        report = await world.archive(DAY + timedelta(days=day), DAY + timedelta(days=7))
        assert (report["flagged"], report["unchanged"]) == (0, 5 - day)
    (group,) = await world.groups()
    assert (group["status"], group["version"], group["member_count"]) == ("settled", version, 6)


async def test_archived_members_stay_when_the_policy_changes(world: World) -> None:
    await world.open(pair())
    await world.archive()
    await world.configure(overlap_policy="flag")
    await world.add(event("New", NINE + HOUR / 4, 60))
    report = await world.archive()
    assert (report["unchanged"], report["flagged"]) == (3, 1)
    assert await world.subjects() == ["Alone", "Early", "Late"]
    await world.configure(overlap_policy="keep_all")
    assert (await world.archive())["archived"] == 1
    (group,) = await world.groups()
    assert group["status"] == "recorded"
