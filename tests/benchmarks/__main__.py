"""``python -m tests.benchmarks [WHAT] [--json] [options]``."""

import argparse
import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks import api, archive, cold, database, jobs, plan, prepared, read, scale, sweep

type Rows = list[dict[str, Any]]


def _benchmarks(options: argparse.Namespace) -> dict[str, Callable[[], Awaitable[Rows]]]:
    latencies = options.latency_ms or [50.0]
    sizes: tuple[tuple[int, int], ...] = archive.SIZES
    if options.mailboxes is not None or options.events is not None:
        sizes = ((options.mailboxes or 1, options.events or 1000),)
    return {
        "api": lambda: api.measure(tuple(options.clients or api.CLIENTS), rounds=options.rounds),
        "archive": lambda: archive.measure(sizes, latencies),
        "cold": cold.measure,
        "database": database.measure,
        "jobs": jobs.measure,
        "memory": plan.measure_memory,
        "plan": plan.measure,
        "prepared": prepared.measure,
        "read": read.measure,
        "scale": scale.measure,
        "sweep": sweep.measure,
    }


async def _measured(benchmark: Callable[[], Awaitable[Rows]]) -> Rows:
    return await benchmark()


def main() -> None:
    """Run one benchmark, or all, and print what was measured."""
    # As function_app.py sets it.
    gc.set_threshold(200_000, 10, 10)
    parser = argparse.ArgumentParser(prog="./dev bench")
    names = ", ".join(_benchmarks(argparse.Namespace(latency_ms=None, mailboxes=None, events=None)))
    parser.add_argument("what", nargs="?", help=f"{names}; default: all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--events", type=int, help="archive: events in each mailbox")
    parser.add_argument("--mailboxes", type=int, help="archive: mailboxes in parallel; default 1, 10 and 50")
    parser.add_argument("--latency-ms", type=float, action="append", help="archive: repeatable; default 50")
    parser.add_argument("--clients", type=int, action="append", help="api: repeatable; default 1 to 200")
    parser.add_argument("--rounds", type=int, default=3, help="api: rounds of which the median counts")
    options = parser.parse_args()
    benchmarks = _benchmarks(options)
    if options.what is not None and options.what not in benchmarks:
        parser.error(f"unknown benchmark {options.what}: choose from {', '.join(benchmarks)}")
    chosen = [options.what] if options.what else list(benchmarks)
    # Ratios hold on a busy machine if both sides were slowed equally. The reader should know.
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    measured = {name: asyncio.run(_measured(benchmarks[name])) for name in chosen}
    if options.json:
        print(json.dumps(measured, indent=2))
        return
    for name, rows in measured.items():
        print(name)
        for row in rows:
            print("  " + json.dumps(row))


if __name__ == "__main__":
    main()
