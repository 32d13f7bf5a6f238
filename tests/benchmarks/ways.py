"""One piece of work done in several ways, each in its own process on the same database.

A way is a coroutine function. It gets the database's URL and a number, does its work, and returns the seconds
of each unit. The report adds throughput, percentiles, the CPU of the process and of PostgreSQL, peak memory,
and the most connections it had open.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from infra.local.postgres import USER, Postgres
from infra.local.stack import ROOT
from tests.benchmarks.plan import database as new_database
from tests.benchmarks.processes import family_cpu_seconds, peak_megabytes

__all__ = ["Told", "Way", "compare", "main", "new_database"]

_WATCH_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Told:
    """What a way tells of itself: how many items it did, in how long, and the seconds of each unit."""

    items: int
    seconds: float
    units: Sequence[float]


type Way = Callable[[str, int], Awaitable[Told]]


def main(ways: dict[str, Way]) -> None:
    """In the child: ``python -m MODULE WAY URL NUMBER`` prints one JSON object."""
    name, url, number = sys.argv[1], sys.argv[2], int(sys.argv[3])

    async def run() -> tuple[Told, int]:
        async with _watched(url) as most:
            return await ways[name](url, number), most()

    told, connections = asyncio.run(run())
    used = resource.getrusage(resource.RUSAGE_SELF)
    outcome = asdict(told) | {
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mb": round(peak_megabytes(), 1),
        "connections": connections,
    }
    print(json.dumps(outcome))


async def compare(module: str, postgres: Postgres, names: Sequence[str], number: int) -> dict[str, Any]:
    """Each way once, one after another, in a new process each."""
    rows: dict[str, Any] = {}
    for name in names:
        server = family_cpu_seconds(postgres.pid or 0)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, name, postgres.url(USER), str(number)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await child.communicate()
        if child.returncode != 0:
            raise RuntimeError(f"{module} {name} failed")
        told = json.loads(printed)
        server = family_cpu_seconds(postgres.pid or 0) - server
        units = sorted(told["units"])
        rows[name] = {
            "per_second": round(told["items"] / told["seconds"], 1),
            "p50_ms": round(units[len(units) // 2] * 1000, 2),
            "p99_ms": round(units[min(len(units) - 1, int(len(units) * 0.99))] * 1000, 2),
            "cpu_seconds": round(told["cpu"], 2),
            "server_cpu_seconds": round(server, 2),
            "peak_mb": told["peak_mb"],
            "connections": told["connections"],
        }
    return rows


@asynccontextmanager
async def _watched(url: str) -> AsyncIterator[Callable[[], int]]:
    """The most connections that were open at a time, without the one that looks."""
    most = 0
    watcher = await asyncpg.connect(url.replace("+asyncpg", ""))

    async def watch() -> None:
        nonlocal most
        while True:
            open_now = await watcher.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            most = max(most, int(open_now))
            await asyncio.sleep(_WATCH_SECONDS)

    task = asyncio.create_task(watch())
    try:
        yield lambda: most
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watcher.close()


def now() -> float:
    """Seconds of the clock that measures."""
    return time.perf_counter()
