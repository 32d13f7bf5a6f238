"""``python -m tests.simulation --seeds N [--first N] [--processes N]``: simulate worlds, one summary line.

``--twice N`` simulates the first N again, after other seeds than before: their traces must be equal.
"""

import argparse
import hashlib
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.simulation import statistics
from tests.simulation.fault_sites import FaultSites
from tests.simulation.judging import Verdict
from tests.simulation.without import SWITCHES
from tests.simulation.workers import begin, make_worker, simulate_part

# Seeds that a process simulates before it reports: the first time, and the second.
_PART = 10
_OTHER_PART = 7
# Seeds after which processes are renewed. The memory of one grows by about 10 MB a seed.
_SEEDS_OF_A_PROCESS = 150
_PROBLEMS_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 if any seed violated anything or, with ``--complete``, a kind of fault never happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=0, help="how many at a time (one a core)")
    parser.add_argument("--twice", type=int, default=0, help="how many of them a second time")
    parser.add_argument("--complete", action="store_true", help="fail unless each kind of fault happened")
    parser.add_argument("--verbose", action="store_true", help="tell what happened in each world")
    parser.add_argument("--traces", type=Path, help="a folder for every step of each world")
    parser.add_argument("--without", help="a rule to do without, or all of them in turn: see without.py")
    options = parser.parse_args(arguments)
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets is part of what a seed means.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *(arguments or sys.argv[1:])])  # noqa: S606
    if options.without is not None:
        return _do_without(options.without, range(options.first, options.first + options.seeds))
    began = time.monotonic()
    failed = 0
    first_time: dict[int, str] = {}
    totals: Counter[str] = Counter()
    sites, rules = FaultSites(), Counter[str]()
    whole = hashlib.sha256()
    if options.traces is not None:
        options.traces.mkdir(parents=True, exist_ok=True)
    processes = min(options.processes or os.cpu_count() or 1, options.seeds)
    seeds = range(options.first, options.first + options.seeds)
    for verdict in _verdicts(seeds, processes, options.traces):
        first_time[verdict.seed] = verdict.trace
        whole.update(f"{verdict.seed} {verdict.trace}\n".encode())
        failed += bool(verdict.problems)
        totals.update(statistics.of(verdict))
        sites.add(verdict.sites)
        rules.update(verdict.rules)
        _show(verdict, verbose=options.verbose)
    if options.verbose:
        for fact, total in sorted(totals.items()):
            sys.stdout.write(f"{total:10} {fact}\n")
    sys.stdout.write(statistics.table(sites, rules) + "\n")
    missing = statistics.missing(totals) if options.complete else []
    for what in missing:
        sys.stdout.write(f"hardly ever happened: {what}\n")
    seconds = (time.monotonic() - began) / max(1, options.seeds)
    sys.stdout.write(
        f"{options.seeds} seeds from {options.first}: {failed} failed, {seconds:.2f} s each"
        f" with {processes} processes; {statistics.line(totals)};"
        f" trace {whole.hexdigest()[:16]}\n"
    )
    differs = options.twice > 0 and _differs(first_time, seeds[: options.twice], processes)
    return 1 if failed or missing or differs else 0


def _differs(first_time: Mapping[int, str], seeds: range, processes: int) -> bool:
    """Simulate these seeds again. Whether any trace differs from its first one."""
    traces = [hashlib.sha256(), hashlib.sha256()]
    for verdict in _verdicts(seeds, processes, None, part=_OTHER_PART):
        for trace, whole in zip((first_time[verdict.seed], verdict.trace), traces, strict=True):
            whole.update(f"{verdict.seed} {trace}\n".encode())
        if verdict.trace != first_time[verdict.seed]:
            sys.stdout.write(f"seed {verdict.seed} has another trace the second time\n")
    first, second = (whole.hexdigest()[:16] for whole in traces)
    sys.stdout.write(f"{len(seeds)} seeds twice: traces {first} and {second}\n")
    return first != second


def _do_without(wanted: str, seeds: range) -> int:
    """Switch rules off one by one; the first seed that fails for each. Exit status 1 if none does."""
    missed = 0
    for rule in SWITCHES if wanted == "all" else [wanted]:
        with make_worker(None, rule) as worker:
            failing = next((verdict for verdict in worker.simulate(seeds) if verdict.problems), None)
        missed += failing is None
        if failing is None:
            sys.stdout.write(f"without {rule}: no seed of {len(seeds)} from {seeds.start} fails\n")
        else:
            told = failing.problems[0].strip().splitlines()[-1]
            sys.stdout.write(f"without {rule}: seed {failing.seed} fails: {told[:160]}\n")
        sys.stdout.flush()
    return 1 if missed else 0


def _verdicts(seeds: range, processes: int, traces: Path | None, part: int = _PART) -> Iterator[Verdict]:
    if processes <= 1:
        with make_worker(traces) as worker:
            yield from worker.simulate(seeds)
        return
    context = multiprocessing.get_context("spawn")
    for some in _parts(seeds, processes * _SEEDS_OF_A_PROCESS):
        pool = ProcessPoolExecutor(processes, mp_context=context, initializer=begin, initargs=(traces,))
        with pool:
            for verdicts in pool.map(simulate_part, _parts(some, part)):
                yield from verdicts


def _parts(seeds: range, size: int) -> list[range]:
    return [seeds[place : place + size] for place in range(0, len(seeds), size)]


def _show(verdict: Verdict, *, verbose: bool) -> None:
    if verbose:
        sys.stdout.write(f"seed {verdict.seed}: trace {verdict.trace}; {verdict.facts}\n")
        for line in verdict.story:
            sys.stdout.write(f"  {line}\n")
    if verdict.problems:
        for problem in verdict.problems[:_PROBLEMS_SHOWN]:
            sys.stdout.write(f"seed {verdict.seed}: {problem}\n")
        sys.stdout.write(f"replay: ./dev simulate --seeds 1 --first {verdict.seed} --verbose\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
