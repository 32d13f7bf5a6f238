"""Parts that die while the system serves, and what a supervisor that died leaves behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from infra.local.processes import command_line
from infra.local.stack import ROOT, Stack


async def _told_of(stack: Stack, pid: int) -> str:
    """The message within ten seconds of the death of a part."""
    watch = asyncio.create_task(stack.wait_until_a_part_ends())
    await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    told = await asyncio.wait_for(watch, 10)
    name, _, log = told.partition(" ended unexpectedly (log: ")
    assert log
    return name


async def test_the_death_of_any_part_is_told_at_once(app: Path, state: Path) -> None:
    async with Stack(state, app=app, migrate=False) as stack:
        assert await _told_of(stack, stack.simulator_pid) == "the Graph simulator"
        await stack.start_simulator()
        assert await _told_of(stack, stack.host_pid) == "the Functions host"
        await stack.start_host()
        assert stack.postgres.pid is not None
        assert await _told_of(stack, stack.postgres.pid) == "PostgreSQL"


async def test_the_death_of_any_part_of_several_instances_is_told_at_once(app: Path, state: Path) -> None:
    async with Stack(state, app=app, migrate=False, instances={"all": 2}) as stack:
        instances = stack.instances
        assert instances is not None
        assert await _told_of(stack, instances.pid("engine")) == "the Durable engine"
        await instances.start_engine()
        first, second = instances.names
        assert await _told_of(stack, instances.pid(first)) == f"the instance {first}"
        await instances.kill(first)
        # The other one continues alone.
        assert (await stack.client.get(f"{stack.base_url}/api/health/ready")).text == "ready"
        assert await _told_of(stack, instances.pid("front")) == "the front"
        assert (await stack.client.get(f"{instances.url(second)}/api/health/ready")).text == "ready"


async def test_a_process_that_nobody_wrote_down_is_ended_at_the_next_start(app: Path, state: Path) -> None:
    """Its supervisor died between starting it and writing that down; another folder's is left alone."""
    other = state.with_name("state-of-another")
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "infra.local.graph_simulator", "--port", "0", "--state", str(path)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for path in (state / "graph.json", other / "graph.json")
    ]
    left, others = started
    try:
        for process in started:
            while "graph_simulator" not in command_line(process.pid):
                await asyncio.sleep(0.01)
        async with Stack(state, app=app, migrate=False):
            await asyncio.wait_for(left.wait(), 10)
            assert others.returncode is None
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
            await process.wait()
