"""``python -m tests.benchmarks [WHAT] [--json] [options]``."""

import argparse
import asyncio
import json

from tests.benchmarks import archive

WHAT = {"archive": archive.measure}


def main() -> None:
    """Run one benchmark, or all, and print what was measured."""
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("what", nargs="?", choices=sorted(WHAT), help="default: all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--mailboxes", type=int, default=1)
    parser.add_argument("--latency-ms", type=float, action="append", help="repeatable; default 50")
    options = parser.parse_args()
    chosen = [options.what] if options.what else sorted(WHAT)
    measured = {
        name: asyncio.run(WHAT[name](options.events, options.mailboxes, options.latency_ms or [50.0]))
        for name in chosen
    }
    if options.json:
        print(json.dumps(measured, indent=2))
        return
    for name, rows in measured.items():
        print(name)
        for row in rows:
            print("  " + json.dumps(row))


main()
