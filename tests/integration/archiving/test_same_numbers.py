"""A dry run, the run, its retry and a later run tell the same numbers (domain.md 2.12, 2.13)."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared import telemetry
from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.domain.runs.outcome import Outcome
from shared.graph.retry import RetryPolicy
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.previewing import Previewer
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR
WEEK = timedelta(days=7)
ACME = ["Acme - billable"]
QUICK = RetryPolicy(attempts=2, first_delay=0.01, longest_delay=0.02)


async def foreseen(world: World) -> dict[str, int]:
    """What the dry run tells its person."""
    ports = ArchivingPorts(world.database, world.calendars, world.clock, world.settings, world.person_keys)
    person = Caller.user(world.tenant_id, world.person_id, [Role.USER])
    before = await world.rows(COUNTS)
    with telemetry.bind(caller=person, correlation="test"):
        plan = await Previewer(ports).preview(person, world.configuration_id, DAY, DAY + WEEK, 100)
    assert await world.rows(COUNTS) == before
    assert sum(plan.outcomes.values()) == plan.plan.source
    return {str(outcome): count for outcome, count in plan.outcomes.items()}


#: Nothing of a dry run stays.
COUNTS = """
    SELECT (SELECT count(*) FROM archived_events) AS map, (SELECT count(*) FROM archive_runs) AS runs,
           (SELECT count(*) FROM archive_operations) AS operations,
           (SELECT count(*) FROM overlap_groups) AS groups, (SELECT count(*) FROM audit_entries) AS audit,
           (SELECT count(*) FROM notifications) AS told,
           (SELECT max(updated_at) FROM archived_events) AS changed
"""


def ten(report: dict[str, Any]) -> dict[str, int]:
    """The ten outcomes of a report."""
    return {str(outcome): report[str(outcome)] for outcome in Outcome}


def diary() -> list[dict[str, Any]]:
    """A week with something for each outcome."""
    day = timedelta(days=1)
    return [
        event("Steering", NINE, categories=ACME),
        event("Extended", NINE + HOUR, 30, categories=ACME),
        *(event("Twice", NINE + day, categories=ACME) for _ in range(2)),
        event("Free", NINE + day + 3 * HOUR, showAs="free", categories=ACME),
        *(event(f"Overlap {n}", NINE + 2 * day + n * HOUR / 4, categories=ACME) for n in range(3)),
        event("Personal", NINE + 3 * day),
        event("Review", NINE + 3 * day + 5 * HOUR, categories=ACME, sensitivity="private"),
        event("Goes", NINE + 4 * day, categories=ACME),
        event("Moves", NINE + 4 * day + 3 * HOUR, categories=ACME),
        event("Broken", NINE + 5 * day, categories=ACME),
    ]


async def same(world: World, *, faults: list[dict[str, Any]] | None = None) -> dict[str, int]:
    """A dry run and a run: they tell the same; a fault strikes the writes of the run alone."""
    expected = await foreseen(world)
    for fault in faults or ():
        world.simulator.faults.add(fault)
    report = await world.archive()
    if not faults:
        assert ten(report) == expected
    assert sum(ten(report).values()) == report["source"]
    return ten(report)


@pytest.mark.parametrize(
    ("purpose", "policy"), [("general", "flag"), ("timesheet", "auto"), ("general", "keep_all")]
)
async def test_a_dry_run_and_the_run_tell_the_same_in_every_state(
    world: World, purpose: str, policy: str
) -> None:
    world.retries = QUICK
    await world.open(diary(), purpose=purpose, overlap_policy=policy)
    world.fault("corrupt_event", "Broken", properties=["body"])
    await same(world)
    await same(world)
    # Changed, gone, moved away, entered again, back.
    await world.edit((await world.source("Steering"))["id"], subject="Steering group")
    await world.delete((await world.source("Goes"))["id"])
    later = event("x", NINE + 40 * 24 * HOUR)
    await world.edit((await world.source("Moves"))["id"], start=later["start"], end=later["end"])
    review = await world.source("Review")
    await world.delete(review["id"])
    await world.add(event("Review", NINE + timedelta(days=3) + 5 * HOUR, categories=ACME))
    world.mend()
    await same(world)
    await world.delete((await world.source("Twice"))["id"])
    await world.delete((await world.source("Extended"))["id"])
    await same(world)
    last = await same(world)
    assert (last["archived"], last["updated"], last["failed"]) == (0, 0, 0)


async def test_a_locked_period_is_foreseen(world: World) -> None:
    await world.open(diary())
    async with world.database.session() as session:
        await session.execute(
            text(
                "INSERT INTO period_locks (id, tenant_id, owner_id, customer_key, period, locked_by)"
                " SELECT gen_random_uuid(), tenant_id, id, 'acme', '[2026-03-02,2026-03-05)', 'test'"
                " FROM users"
            )
        )
    report = await same(world)
    assert report["locked"] > 0
    assert await same(world) == report | {"archived": 0, "unchanged": report["archived"]}


@pytest.mark.parametrize("seed", range(2))
async def test_what_failed_is_told_by_the_retry_as_by_the_run(world: World, seed: int) -> None:
    """Whatever fails of the writes: run, dry run, retry and a second run count the same events."""
    chance = random.Random(seed)
    world.retries = QUICK
    await world.open(diary())
    fault = {
        "kind": "status",
        "status": chance.choice([400, 403]),
        "match": {"method": "POST", "in_batch": True},
        "skip": chance.randrange(4),
        "times": chance.randrange(1, 5),
    }
    first = await same(world, faults=[fault])
    assert first["failed"] > 0
    world.mend()
    second = await same(world)
    assert sum(second.values()) == sum(first.values())
    assert second["archived"] == first["failed"]
    assert second["unchanged"] == first["archived"] + first["unchanged"]
    third = await same(world)
    assert third == second | {"archived": 0, "unchanged": second["unchanged"] + second["archived"]}


async def test_what_a_run_left_open_is_counted_as_the_next_run_reconciles_it(world: World) -> None:
    await world.open(diary())
    run = await world.request()
    await world.plan(run.id)
    world.simulator.faults.add({"kind": "lost_answer", "match": {"path_regex": "batch"}})
    await world.apply(run.id)
    await world.finish(run.id)
    first = (await world.view(run.id)).run.report or {}
    assert first["failed"] > 0
    second = await same(world)
    assert second["failed"] == 0
    assert sum(second.values()) == sum(ten(first).values())
    assert set((await world.copies_by_key()).values()) == {1}


async def test_a_cancelled_run_and_the_one_after_it_count_the_same_events(world: World) -> None:
    await world.open(diary())
    run = await world.request()
    await world.plan(run.id)
    await world.rows("UPDATE archive_runs SET cancel_requested = true RETURNING id")
    await world.apply(run.id)
    await world.finish(run.id)
    first = (await world.view(run.id)).run.report or {}
    second = await same(world)
    assert sum(second.values()) == sum(ten(first).values())
    assert second["archived"] == first["archived"] + first["failed"]
