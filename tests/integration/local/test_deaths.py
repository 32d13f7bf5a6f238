"""Parts that die while the system serves, and what a supervisor that died leaves behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.processes import command_line
from infra.local.stack import ROOT, Stack


@pytest.mark.parametrize("part", ["postgres", "host", "front"])
async def test_the_death_of_any_part_is_told_at_once(app: Path, state: Path, part: str) -> None:
    several = {"all": 1} if part == "front" else None
    async with Stack(state, app=app, migrate=False, instances=several) as stack:
        watch = asyncio.create_task(stack.wait_until_a_part_ends())
        await asyncio.sleep(0.1)
        pid, name = _victim(stack, part)
        os.kill(pid, signal.SIGKILL)
        told = await asyncio.wait_for(watch, 10)
        assert told.startswith(f"{name} ended by itself (log: ")


def _victim(stack: Stack, part: str) -> tuple[int, str]:
    if stack.instances is not None:
        return stack.instances.pid(part), f"the {part}"
    if part == "host":
        return stack.host_pid, "the Functions host"
    assert stack.postgres.pid is not None
    return stack.postgres.pid, "PostgreSQL"


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
