"""Whatever breaks between us and Graph, every event ends up archived exactly once (design.md, Archive)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World

READ = {"method": "GET", "path_regex": "calendarView"}
OUTER = {"method": "POST", "path_regex": r"\$batch", "in_batch": False}
INSIDE = {"method": "POST", "in_batch": True}
PATCHED = {"method": "PATCH", "in_batch": True}

TROUBLE: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "code": "ApplicationThrottled", "retry_after": 1},
    {"kind": "status", "status": 503, "code": "ErrorInternalServerTransientError"},
    {"kind": "status", "status": 504, "code": "UnknownError"},
    {"kind": "drop_before"},
    {"kind": "lost_answer"},
]
INNER = [*TROUBLE[:3], {"kind": "missing_subresponse"}]


def name(trouble: dict[str, Any]) -> str:
    """How a parameter is shown."""
    return f"{trouble['kind']}{trouble.get('status', '')}"


def meetings(count: int) -> list[dict[str, Any]]:
    """Meetings in a row."""
    return [event(f"Meeting {n}", DAY + timedelta(hours=n), 30) for n in range(count)]


async def converged(world: World, count: int) -> None:
    """Everything is there once, nobody was invited, and no pause was ignored."""
    copies = await world.copies_by_key()
    assert (len(copies), set(copies.values())) == (count, {1})
    total = world.counts()
    assert total["requests_while_told_to_wait"] == 0
    assert total["invitations_sent"] == 0
    assert total["max_concurrent"] <= 4
    async with world.database.session() as session:
        open_rows = await session.execute(
            text("SELECT count(*) FROM archive_operations WHERE state IN ('draft', 'planned', 'sent')")
        )
        assert open_rows.scalar_one() == 0


@pytest.mark.parametrize("trouble", TROUBLE, ids=name)
async def test_trouble_while_reading(world: World, trouble: dict[str, Any]) -> None:
    await world.open(meetings(25))
    world.simulator.faults.add({"match": READ, **trouble})
    assert (await world.archive())["archived"] == 25
    await converged(world, 25)


@pytest.mark.parametrize("trouble", TROUBLE, ids=name)
async def test_trouble_with_a_whole_batch(world: World, trouble: dict[str, Any]) -> None:
    await world.open(meetings(45))
    world.simulator.faults.add({"match": OUTER, "skip": 1, **trouble})
    report = await world.archive()
    assert (report["state"], report["archived"]) == ("completed", 45)
    await converged(world, 45)


@pytest.mark.parametrize("trouble", INNER, ids=name)
async def test_trouble_with_single_creates_inside_a_batch(world: World, trouble: dict[str, Any]) -> None:
    await world.open(meetings(25))
    world.simulator.faults.add({"match": INSIDE, "skip": 2, "times": 3, **trouble})
    report = await world.archive()
    assert (report["state"], report["archived"]) == ("completed", 25)
    await converged(world, 25)


@pytest.mark.parametrize("trouble", INNER, ids=name)
async def test_trouble_with_single_updates_inside_a_batch(world: World, trouble: dict[str, Any]) -> None:
    await world.open(meetings(6))
    await world.archive()
    for source in await world.events("Calendar"):
        await world.edit(source["id"], location={"displayName": "Elsewhere"})
    world.simulator.faults.add({"match": PATCHED, "skip": 1, "times": 2, **trouble})
    report = await world.archive()
    assert (report["state"], report["updated"]) == ("completed", 6)
    assert {c["location"]["displayName"] for c in await world.copies()} == {"Elsewhere"}
    await converged(world, 6)


@pytest.mark.parametrize("answer", ["409", "400", "201_existing"])
async def test_a_lost_answer_is_found_again_however_graph_answers_duplicates(
    world: World, answer: str
) -> None:
    await world.open(meetings(25))
    world.simulator.settings.update({"duplicate_transaction": answer})
    world.simulator.faults.add({"match": OUTER, "kind": "lost_answer", "times": 2})
    assert (await world.archive())["archived"] == 25
    await converged(world, 25)


async def test_an_answer_lost_long_ago_is_looked_up_not_sent_again(world: World) -> None:
    await world.open(meetings(5))
    world.simulator.faults.add({"match": OUTER, "kind": "lost_answer"})
    run = await world.request()
    await world.plan(run.id)
    await world.apply(run.id)
    writes = world.counts()["writes"]
    world.simulator.settings.update({"transaction_memory_seconds": 0.0})
    world.clock.advance(minutes=11)
    report = await world.drive(run.id)
    assert (report["state"], report["archived"]) == ("completed", 5)
    assert world.counts()["writes"] == writes
    await converged(world, 5)


async def test_a_write_that_never_arrived_is_sent_again_after_the_lookup(world: World) -> None:
    await world.open(meetings(3))
    world.simulator.faults.add({"match": OUTER, "kind": "drop_before"})
    run = await world.request()
    await world.plan(run.id)
    await world.apply(run.id)
    assert await world.copies() == []
    world.clock.advance(minutes=11)
    assert (await world.drive(run.id))["archived"] == 3
    await converged(world, 3)


async def test_a_worker_that_dies_at_any_batch_is_followed_by_one_that_completes(world: World) -> None:
    await world.open(meetings(110))
    world.simulator.settings.update({"latency_ms": 10.0})
    run = await world.request()
    await world.plan(run.id)
    for _ in range(3):
        sent = world.counts()["batches"]
        worker = asyncio.create_task(world.apply(run.id))
        while world.counts()["batches"] == sent and not worker.done():
            await asyncio.sleep(0.001)
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
        # Its lease runs out, and the batch it left behind at Graph has ended by then.
        await asyncio.sleep(0.1)
        world.clock.advance(seconds=4)
    assert (await world.drive(run.id))["archived"] == 110
    await converged(world, 110)


async def test_two_workers_on_one_run_do_not_double_anything(world: World) -> None:
    await world.open(meetings(60))
    world.simulator.settings.update({"latency_ms": 10.0})
    run = await world.request()
    twin = world.service()
    await world.plan(run.id)
    await asyncio.gather(world.apply(run.id), world.apply(run.id, twin), twin.reconcile(run.id, 0))
    await world.drive(run.id)
    await converged(world, 60)


async def test_a_holder_that_lost_its_lease_records_nothing(world: World) -> None:
    await world.open(meetings(45))
    world.simulator.settings.update({"latency_ms": 30.0})
    run = await world.request()
    await world.plan(run.id)
    zombie = asyncio.create_task(world.apply(run.id))
    await asyncio.sleep(0.1)
    async with world.database.session() as session:
        await session.execute(text("UPDATE mailbox_gates SET fence = fence + 1, lease_until = NULL"))
    progress = await zombie
    assert progress.remaining > 0
    assert progress.resume_at is not None
    assert (await world.drive(run.id))["archived"] == 45
    await converged(world, 45)


async def test_a_long_pause_is_left_to_the_orchestration(world: World) -> None:
    await world.open(meetings(45))
    world.simulator.faults.add(
        {"match": OUTER, "kind": "status", "status": 429, "code": "ApplicationThrottled", "retry_after": 120}
    )
    run = await world.request()
    await world.plan(run.id)
    progress = await world.apply(run.id)
    assert progress.resume_at is not None
    assert progress.resume_at - world.clock.now() > timedelta(seconds=100)
    assert progress.remaining == 45


async def test_one_event_too_large_for_a_batch_fails_alone(world: World) -> None:
    huge = event("Huge", DAY + timedelta(days=2))
    huge["body"]["content"] = "<p>" + "x" * 900_000 + "</p>"
    await world.open([*meetings(10), huge])
    world.simulator.settings.update({"max_body_bytes": 800_000})
    report = await world.archive()
    assert (report["state"], report["archived"], report["failed"]) == ("completed_with_errors", 10, 1)
