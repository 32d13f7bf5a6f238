"""``python -m tests.simulation --seeds N [--first N] [--processes N]``: simulate worlds, one summary line."""

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from shared.database.connection_url import connect_arguments
from tests.simulation.seed import Verdict, run_seed
from tests.support.postgres import TestServer, shared_server
from tests.support.settings import make_settings


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
        f"{options.seeds} seeds from {options.first}: {failed} failed, {seconds / max(1, options.seeds):.2f} s each\n"
    )
    return 1 if failed else 0


@contextlib.contextmanager
def _server() -> Iterator[TestServer]:
    with tempfile.TemporaryDirectory(prefix="admin-assistant-simulation-") as folder:
        with shared_server(Path(folder)) as server:
            yield server


def _verdicts(server: TestServer, first: int, count: int, processes: int) -> Iterator[Verdict]:
    if processes <= 1:
        yield from _worker((server, range(first, first + count)))
        return
    parts = [(server, range(first + n, first + count, processes)) for n in range(processes)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for verdicts in pool.imap_unordered(_all, parts):
            yield from verdicts


def _all(part: tuple[TestServer, range]) -> list[Verdict]:
    return list(_worker(part))


def _worker(part: tuple[TestServer, range]) -> Iterator[Verdict]:
    """Simulate seeds one after another on a database of their own."""
    logging.disable(logging.CRITICAL)
    server, seeds = part
    database = asyncio.run(server.clone("simulation"))
    try:
        settings = make_settings(database_url=database.user, migration_database_url=database.owner)
        target = connect_arguments(settings, settings.database_url.get_secret_value(), "simulation")
        path = f"{target['host']}/.s.PGSQL.{target.get('port') or 5432}"
        for seed in seeds:
            yield run_seed(seed, settings, path, database.name)
    finally:
        asyncio.run(server.drop(database.name))


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
