"""``python -m tests.simulation --seeds N [--first N] [--processes N]``: simulate worlds, one summary line."""

import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.simulation.workers import simulate, simulate_all
from tests.simulation.world import Verdict
from tests.support.postgres import TestServer, shared_server

# Seeds that a process simulates on one database before it reports.
_PART = 20


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 if any seed violated anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=1, help="how many at a time")
    parser.add_argument("--verbose", action="store_true", help="tell what happened in each world")
    options = parser.parse_args(arguments)
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets is part of what a seed means.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *(arguments or sys.argv[1:])])  # noqa: S606
    began = time.monotonic()
    failed = 0
    totals: Counter[str] = Counter()
    with _server() as server:
        for verdict in _verdicts(server, options.first, options.seeds, options.processes):
            failed += bool(verdict.problems)
            for fact, value in verdict.facts.items():
                totals.update(value if isinstance(value, dict) else {fact: value})
            _show(verdict, verbose=options.verbose)
    if options.verbose:
        for fact, total in sorted(totals.items()):
            sys.stdout.write(f"{total:10.0f} {fact}\n")
    seconds = time.monotonic() - began
    sys.stdout.write(
        f"{options.seeds} seeds from {options.first}: {failed} failed,"
        f" {seconds / max(1, options.seeds):.2f} s each\n"
    )
    return 1 if failed else 0


@contextlib.contextmanager
def _server() -> Iterator[TestServer]:
    with (
        tempfile.TemporaryDirectory(prefix="admin-assistant-simulation-") as folder,
        shared_server(Path(folder)) as server,
    ):
        yield server


def _verdicts(server: TestServer, first: int, count: int, processes: int) -> Iterator[Verdict]:
    seeds = range(first, first + count)
    if processes <= 1:
        yield from simulate(server, seeds)
        return
    parts = [(server, seeds[place : place + _PART]) for place in range(0, count, _PART)]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for verdicts in pool.map(simulate_all, parts):
            yield from verdicts


def _show(verdict: Verdict, *, verbose: bool) -> None:
    if verbose:
        sys.stdout.write(f"seed {verdict.seed}: {verdict.facts}\n")
        for line in verdict.story:
            sys.stdout.write(f"  {line}\n")
    if verdict.problems:
        for problem in verdict.problems[:10]:
            sys.stdout.write(f"seed {verdict.seed}: {problem}\n")
        sys.stdout.write(f"replay: ./dev simulate --seeds 1 --first {verdict.seed} --verbose\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
