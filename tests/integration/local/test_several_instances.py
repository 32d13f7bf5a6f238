"""The product itself on several instances: a small night in which they die, come and are replaced."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from infra.local.stack import Stack
from infra.local.state_folder import delete_state
from tests.support.killing import SHORT_TIMES
from tests.support.system import System

_MAILBOXES = 6
_EVENTS = 60


@pytest_asyncio.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    folder = tmp_path / "system"
    async with Stack(folder, instances={"all": 2}, env=SHORT_TIMES, latency_ms=10) as system:
        yield system
    delete_state(folder)


async def test_a_night_survives_instances_that_die_come_and_are_replaced(stack: Stack) -> None:
    instances = stack.instances
    assert instances is not None
    system = await System.of(stack)
    archives = [await system.add_mailbox(f"night-{number}", _EVENTS) for number in range(_MAILBOXES)]
    started = [await system.start_run(archive) for archive in archives]

    await asyncio.sleep(0.5)
    await instances.kill(instances.names[0])
    await instances.add("all")
    await instances.kill_engine()
    await instances.start_engine()
    await instances.replace_all()

    for archive, (status_url, _) in zip(archives, started, strict=True):
        run = await system.finished(status_url)
        assert (run["status"], run["report"]["archived"]) == ("completed", _EVENTS), run
        copies = await system.copies(archive)
        assert (len(copies), max(copies.values())) == (_EVENTS, 1)
    assert (await system.counters())["requests_while_told_to_wait"] == 0
