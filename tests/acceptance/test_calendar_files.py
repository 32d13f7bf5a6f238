"""Other people's calendars: the same occurrences as an oracle's, no file that fails, none that takes long."""

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from infra.local.graph_simulator.values.errors import LoadError
from infra.local.stack import ROOT
from infra.local.state_folder import delete_state
from tests.acceptance.conftest import AcceptancePoint
from tests.support.calendar_comparison import difference_of, loaded_occurrences
from tests.support.calendar_import import load_calendar
from tests.support.icaljs_differences import unexplained
from tests.support.icaljs_oracle import NotComparedError, icaljs_occurrences
from tests.support.large_calendar import large_calendar
from tests.support.mutated_calendars import mutated
from tests.support.random_calendars import random_calendar

CASES = Path(__file__).parents[1] / "unit/local/calendars"


@pytest.mark.one_instance
def test_generated_calendars(acceptance_point: AcceptancePoint, quick: bool) -> None:
    """Random calendars have exactly the occurrences that recurring_ical_events and ical.js say."""
    count = 200 if quick else 2000
    first = Random().randrange(10**6)
    calendars = [random_calendar(seed) for seed in range(first, first + count)]
    loaded = [loaded_occurrences(calendar) for calendar in calendars]
    pairs = list(zip(calendars, loaded, strict=True))
    found = [told for calendar, ours in pairs if (told := difference_of(calendar, ours))]
    measured = f"{count} calendars from seed {first}, {len(found)} differ"
    other: list[str] = []
    try:
        answers = icaljs_occurrences(calendars)
    except NotComparedError as error:
        measured += f"; ical.js not compared: {error}"
    else:
        seen: Counter[str] = Counter()
        for (calendar, ours), theirs in zip(pairs, answers, strict=True):
            if isinstance(theirs, str):
                other.append(f"seed {calendar.seed}: ical.js fails: {theirs}")
            elif told := unexplained(calendar, ours, theirs, seen):
                other.append(told)
        explained = ", ".join(f"{name} {number}" for name, number in sorted(seen.items())) or "nothing"
        measured += f"; ical.js: {len(other)} differ, RFC 5545 explains {explained}"
    acceptance_point(measured=measured, bound="0 differ")
    assert found == []
    assert other == []


@pytest.mark.one_instance
def test_damaged_calendars(acceptance_point: AcceptancePoint, quick: bool) -> None:
    """Damaged files and random bytes: refused, or every event in them is accounted for; none takes long."""
    count = 100 if quick else 1500
    first = Random().randrange(10**6)
    sources = [path.read_bytes() for path in sorted(CASES.glob("*.ics"))]
    sources += [random_calendar(seed).raw for seed in range(first, first + 20)]
    refused, silent, longest = 0, [], 0.0
    for seed in range(first, first + count):
        raw = mutated(sources[seed % len(sources)], seed) if seed % 10 else Random(seed).randbytes(5000)
        started = time.monotonic()
        try:
            entries = load_calendar(raw).report["entries"]
        except LoadError:
            refused += 1
        else:
            if entries["total"] * 2 != sum(entries.values()):
                silent.append(seed)
        longest = max(longest, time.monotonic() - started)
    acceptance_point(
        measured=f"{count} files from seed {first}: {refused} refused, {len(silent)} silent, {longest:.1f} s",
        bound="0 silent, none fails, 20 s at most",
    )
    assert silent == []
    assert longest < 20


@pytest.mark.one_instance
def test_large_calendar(acceptance_point: AcceptancePoint) -> None:
    """10 MB with 8,000 events and 150 series are read quickly."""
    raw = large_calendar()
    # CPU time: other work on the machine does not change it.
    started = time.process_time()
    report = load_calendar(raw).report
    seconds = time.process_time() - started
    acceptance_point(
        measured=f"{len(raw) / 1e6:.1f} MB in {seconds:.1f} s of CPU, {report['events']} events",
        bound="20 s of CPU",
    )
    assert report["entries"]["unrepresentable"] == 0
    assert seconds < 20


@pytest.mark.alone
async def test_large_calendar_becomes_a_month(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """10 MB with 8,000 events and 150 series are read, archived and reported; progress is never silent."""
    path, state = tmp_path / "large.ics", tmp_path / "state"
    path.write_bytes(large_calendar(occurrences=40))
    command = [
        sys.executable,
        "-P",
        "-m",
        "infra.local",
        "run",
        "--once",
        "--port",
        "0",
        "--state",
        str(state),
    ]
    started = told = time.monotonic()
    silent = 0.0
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--calendar", str(path), "--from", "2024-01-01", "--report", str(tmp_path / "month.html")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    printed = asyncio.ensure_future(process.stdout.read())
    said = []
    while line := await process.stderr.readline():
        said.append(line.decode())
        silent = max(silent, time.monotonic() - told)
        told = time.monotonic()
    status, page = await process.wait(), (await printed).decode()
    seconds = time.monotonic() - started
    delete_state(state)
    acceptance_point(measured=f"{seconds:.1f} s, silent for {silent:.1f} s at most", bound="40 s, 2 s")
    assert status == 0, said[-5:]
    assert " h net" in page
    assert silent <= 2
    assert seconds <= 40
