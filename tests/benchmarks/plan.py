"""How planning grows with the window, in time and in memory.

Each size is planned by its own process, over the real database and through the real service. The events are
generated page by page, so that the memory is that of planning.
"""

import asyncio
import itertools
import json
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from infra.local.postgres import OWNER, USER, Postgres
from infra.local.schema import migrate
from infra.local.stack import ROOT
from tests.benchmarks.processes import peak_megabytes

_SIZES = (1_000, 10_000, 100_000)
_MEMORY_SIZES = (1_000, 50_000)
_BODY_BYTES = 4_096


async def measure() -> list[dict[str, Any]]:
    """Seconds by number of events, and the growth from each size to the next.

    The sizes are planned there and back, and means compared: the machine's pace drifts within a minute.
    """
    async with database() as postgres:
        there = [await _planned(postgres.url(USER), events, 300) for events in _SIZES]
        back = [await _planned(postgres.url(USER), events, 300) for events in reversed(_SIZES)]
    rows = [_mean(first, second) for first, second in zip(there, reversed(back), strict=True)]
    for smaller, larger in itertools.pairwise(rows):
        larger["time_over_smaller"] = round(larger["seconds"] / smaller["seconds"], 2)
        larger["cpu_over_smaller"] = round(larger["cpu_seconds"] / smaller["cpu_seconds"], 2)
    return rows


def _mean(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    means = {name: round((first[name] + second[name]) / 2, 3) for name in ("seconds", "cpu_seconds")}
    return first | means | {"peak_mb": max(first["peak_mb"], second["peak_mb"])}


async def measure_memory() -> list[dict[str, Any]]:
    """Peak memory of a window of 50,000 events with bodies of 4 KB, against one of 1,000."""
    async with database() as postgres:
        rows = [await _planned(postgres.url(USER), events, _BODY_BYTES) for events in _MEMORY_SIZES]
    rows[-1]["peak_over_smallest"] = round(rows[-1]["peak_mb"] / rows[0]["peak_mb"], 3)
    return rows


@asynccontextmanager
async def database() -> AsyncIterator[Postgres]:
    """A migrated database on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        postgres = Postgres(Path(folder) / "postgres", environ={})
        await postgres.start()
        try:
            await migrate(postgres.url(OWNER), Path(folder))
            yield postgres
        finally:
            await postgres.stop()


async def _planned(url: str, events: int, body_bytes: int) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.plan", url, str(events), str(body_bytes)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await child.communicate()
    if child.returncode != 0:
        raise RuntimeError(f"planning {events} events failed")
    row: dict[str, Any] = json.loads(printed)
    return row


def _main() -> None:
    from tests.benchmarks.generated import plan_generated

    url, events, body_bytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    began = time.perf_counter()
    asyncio.run(plan_generated(url, events, body_bytes))
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(
        json.dumps(
            {
                "events": events,
                "body_bytes": body_bytes,
                "seconds": round(seconds, 3),
                # Starting the process included.
                "cpu_seconds": round(cpu, 2),
                "peak_mb": round(peak_megabytes(), 1),
            }
        )
    )


if __name__ == "__main__":
    _main()
