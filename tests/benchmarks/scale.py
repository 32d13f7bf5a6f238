"""What one, two and three instances of the app do on this machine, compared with what its cores permit.

Two loads are measured. For requests, 32 people list their appointments through the front at the same time.
For events, all mailboxes are archived at the same time. ``cpu_ms`` is the work of every process of the
system, the clients included, for one request or event. A machine with ``cores`` cores can do at most
``bound`` of them a second. So ``of_bound`` says how near to the cores the system came. One more instance
helps only if it is far from 1. ``connections`` is the most that the database held at once.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from infra.local.stack import Stack
from tests.benchmarks import load
from tests.benchmarks.api import LIFTED, asked_of_ours
from tests.benchmarks.processes import family_cpu_seconds
from tests.benchmarks.seeding import add_people
from tests.support.system import FIRST_DAY, System

INSTANCES = (1, 2, 3)
_CLIENTS = 32
_SECONDS = 4.0
_MAILBOXES = 24
_EVENTS = 100


async def measure(instances: tuple[int, ...] = INSTANCES) -> list[dict[str, Any]]:
    """A row for each number of instances."""
    return [await _row(number) for number in instances]


async def _row(number: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        async with Stack(Path(folder) / "state", instances={"all": number}, env=LIFTED) as stack:
            await stack.simulator("PATCH", "settings", {"requests_per_10_min": None})
            row: dict[str, Any] = {"instances": number, "cores": os.cpu_count()}
            async with _connections(stack) as most:
                row["requests"] = await _requests(stack)
                row["events"] = await _events(stack)
            return row | {"connections": most[0]}


async def _requests(stack: Stack) -> dict[str, Any]:
    persons = await add_people(stack.database_url, _CLIENTS, 100, FIRST_DAY)
    asked = (await asked_of_ours(stack, persons))["list"]
    await load.drive(stack.port, asked, 1.5, stack.host_pid)
    before = family_cpu_seconds(os.getpid())
    driven = await load.drive(stack.port, asked, _SECONDS, stack.host_pid)
    used = family_cpu_seconds(os.getpid()) - before
    return _rates(len(driven.latencies), driven.seconds, used) | {"errors": sum(driven.errors.values())}


async def _events(stack: Stack) -> dict[str, Any]:
    system = await System.of(stack)
    await system.archive(await system.add_mailbox("warm-up", 20))
    archives = [await system.add_mailbox(f"scale-{each}", _EVENTS) for each in range(_MAILBOXES)]
    before, began = family_cpu_seconds(os.getpid()), time.time()
    started = [await system.start_run(archive) for archive in archives]
    runs = [await system.finished(url, poll=0.5) for url, _ in started]
    used = family_cpu_seconds(os.getpid()) - before
    # From the first request to the end of the last run's row, not to when we heard of it.
    seconds = max(datetime.fromisoformat(run["finished_at"]).timestamp() for run in runs) - began
    archived = sum(run["report"]["archived"] for run in runs)
    return _rates(archived, seconds, used) | {"missing": _MAILBOXES * _EVENTS - archived}


def _rates(number: int, seconds: float, used: float) -> dict[str, Any]:
    bound = number / used * (os.cpu_count() or 1)
    return {
        "per_second": round(number / seconds, 1),
        "cpu_ms": round(1000 * used / number, 2),
        "bound": round(bound, 1),
        "of_bound": round(number / seconds / bound, 2),
    }


@asynccontextmanager
async def _connections(stack: Stack) -> AsyncIterator[list[int]]:
    """The most connections that the app had during the block."""
    url = make_url(stack.owner_database_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    most = [0]

    async def look() -> None:
        while True:
            count = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app_user' AND pid <> pg_backend_pid()"
            )
            most[0] = max(most[0], count)
            await asyncio.sleep(0.1)

    looking = asyncio.create_task(look())
    try:
        yield most
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await connection.close()
