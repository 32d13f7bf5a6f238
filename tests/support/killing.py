"""Kill -9 of every process of a system in the middle of an archive run: nothing is lost, nothing doubled."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.local.processes import command_line
from infra.local.stack import ROOT, Stack
from tests.support.system import Archive, System

#: Short enough to live through; the lease still outlasts a whole batch.
SHORT_TIMES = {
    "ADMIN_ASSISTANT_MAILBOX_LEASE_SECONDS": "3",
    "ADMIN_ASSISTANT_BATCH_TIMEOUT_SECONDS": "2",
}
EVENTS = 120
LATENCY_MS = 25.0
PARTS = ("host", "simulator", "postgres", "supervisor")
#: Of a system on several instances; ``instance`` is the oldest of them.
PARTS_OF_SEVERAL = ("engine", "front", "instance", "simulator", "postgres", "supervisor")
_START_SECONDS = 180.0
_FINISH_SECONDS = 420.0

_SUPERVISOR = """\
import asyncio, json, os, pathlib, signal, sys
from infra.local.stack import Stack

# A shell starts what runs in its background with SIGINT ignored; by it the system is told to end.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    folder, port, latency, env, instances = sys.argv[1:]
    stack = Stack(
        pathlib.Path(folder),
        port=int(port),
        latency_ms=float(latency),
        env=json.loads(env),
        instances=json.loads(instances),
    )
    async with stack:
        pids = {"host": stack.host_pid, "simulator": stack.simulator_pid, "postgres": stack.postgres.pid}
        if stack.instances is not None:
            pids |= {name: stack.instances.pid(name) for name in ("engine", "front", *stack.instances.names)}
            pids["instance"] = pids["host"]
        print(json.dumps({"port": stack.port, "pids": pids | {"supervisor": os.getpid()}}), flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Kill:
    """Which part dies first, how long after the 202, and how much later the supervisor follows; seconds."""

    part: str
    after: float
    then: float

    @classmethod
    def drawn(cls, number: int, chance: random.Random, parts: Sequence[str] = PARTS) -> "Kill":
        """Each part in turn, at a moment of its own."""
        return cls(parts[number % len(parts)], round(chance.uniform(0, 2), 2), round(chance.uniform(0, 1), 2))


async def survive_kills(
    folder: Path, kills: Sequence[Kill], instances: Mapping[str, int] | None = None
) -> list[str]:
    """One run for each kill: a part dies, then the supervisor, and the parts that are left are orphans.

    A new supervisor takes the folder over, and the run is followed to its end. Returns what went wrong, one
    line each.
    """
    wrong: list[str] = []
    system, supervisor = await _started(folder, 0, instances)
    try:
        for number, kill in enumerate(kills):
            archive = await system.add_mailbox(f"kill-{number}", EVENTS)
            status_url, _ = await system.start_run(archive)
            await asyncio.sleep(kill.after)
            _kill(supervisor.pids[kill.part])
            await asyncio.sleep(kill.then)
            _kill(supervisor.pids["supervisor"])
            await supervisor.process.wait()
            former = supervisor.pids
            await system.stack.client.aclose()
            system, supervisor = await _started(folder, supervisor.port, instances)
            wrong += [
                f"{kill}: {part} is left of the killed system"
                for part, pid in former.items()
                if str(folder) in command_line(pid) and pid not in supervisor.pids.values()
            ]
            wrong += [f"{kill}: {what}" for what in await _outcome(system, archive, status_url)]
    finally:
        await system.stack.client.aclose()
        supervisor.process.send_signal(signal.SIGINT)
        await supervisor.process.wait()
    return wrong


@dataclass(frozen=True, slots=True)
class _Supervisor:
    process: asyncio.subprocess.Process
    port: int
    pids: dict[str, int]


class _Remote(Stack):
    """A stack that runs in another process, reached over its two ports."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder)
        self.port, self.simulator_port = port, port + 1
        self._client = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(60, connect=5))


async def _started(
    folder: Path, port: int, instances: Mapping[str, int] | None
) -> tuple[System, _Supervisor]:
    # None leaves it to the setting of ``./dev accept --instances``.
    given = [str(folder), str(port), str(LATENCY_MS), json.dumps(SHORT_TIMES), json.dumps(instances)]
    command = [sys.executable, "-c", _SUPERVISOR, *given]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(_START_SECONDS):
        line = await process.stdout.readline()
    if not line:
        raise AssertionError(f"the system did not start again, status {await process.wait()}")
    told = json.loads(line)
    stack = _Remote(folder, told["port"])
    return await System.of(stack), _Supervisor(process, told["port"], told["pids"])


async def _outcome(system: System, archive: Archive, status_url: str) -> list[str]:
    try:
        run = await system.finished(status_url, _FINISH_SECONDS)
    except TimeoutError:
        run = {"status": f"not over after {_FINISH_SECONDS:.0f} s", "report": None}
    copies = await system.copies(archive)
    wrong = []
    if run["status"] != "completed" or run["report"]["archived"] != EVENTS:
        wrong.append(f"{run['status']}, {run['report']}")
    if len(copies) != EVENTS:
        wrong.append(f"{EVENTS - len(copies)} missing")
    if doubled := [key for key, count in copies.items() if count > 1]:
        wrong.append(f"{len(doubled)} doubled")
    counters = await system.counters()
    if counters["requests_while_told_to_wait"] or counters["invitations_sent"]:
        wrong.append(f"rules of the mailbox broken: {counters}")
    return wrong


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
