"""``python -m tests.benchmarks [WHAT] [--json] [options]``."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks import archive, plan, read

type Rows = list[dict[str, Any]]


def _benchmarks(options: argparse.Namespace) -> dict[str, Callable[[], Awaitable[Rows]]]:
    latencies = options.latency_ms or [50.0]
    return {
        "archive": lambda: archive.measure(options.events, options.mailboxes, latencies),
        "memory": plan.measure_memory,
        "plan": plan.measure,
        "read": read.measure,
    }


def main() -> None:
    """Run one benchmark, or all, and print what was measured."""
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("what", nargs="?", help="archive, memory, plan or read; default: all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--events", type=int, default=1000, help="archive: events in each mailbox")
    parser.add_argument("--mailboxes", type=int, default=1, help="archive: mailboxes in parallel")
    parser.add_argument("--latency-ms", type=float, action="append", help="archive: repeatable; default 50")
    options = parser.parse_args()
    benchmarks = _benchmarks(options)
    if options.what is not None and options.what not in benchmarks:
        parser.error(f"unknown benchmark {options.what}: choose from {', '.join(benchmarks)}")
    chosen = [options.what] if options.what else list(benchmarks)
    measured = {name: asyncio.run(benchmarks[name]()) for name in chosen}  # type: ignore[arg-type]
    if options.json:
        print(json.dumps(measured, indent=2))
        return
    for name, rows in measured.items():
        print(name)
        for row in rows:
            print("  " + json.dumps(row))


if __name__ == "__main__":
    main()
