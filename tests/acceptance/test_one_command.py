"""One command archives a calendar on one machine: its points, measured on the whole system."""

import asyncio
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import ROOT, Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.benchmarks import archive as archive_benchmark
from tests.support.bad_input import refusals
from tests.support.killing import Kill, survive_kills
from tests.support.system import System

EVENTS = 60
#: What the demonstration has to show beside what it archives.
SEEN = (
    *("merged", "consumed", "left_out", "flagged", "overlaps_resolved"),
    *("modifications_applied", "orphan_modifications", "category_issues"),
)
OUTCOMES = (
    *("archived", "unchanged", "updated", "merged", "consumed"),
    *("left_out", "flagged", "locked", "conflict", "failed"),
)
TROUBLE: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "code": "ApplicationThrottled", "retry_after": 2},
    {"kind": "status", "status": 503, "code": "ErrorInternalServerTransientError"},
    {"kind": "drop_before"},
    {"kind": "lost_answer"},
)
PLACES: tuple[dict[str, Any], ...] = (
    {"method": "GET", "path_regex": "calendarView"},
    {"method": "POST", "path_regex": r"\$batch", "in_batch": False},
    {"method": "POST", "in_batch": True},
)


def dev_run(state: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """``./dev run --once`` on a state folder."""
    command = [sys.executable, "-m", "infra.local", "run", "--once", "--port", "0", "--state", str(state)]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=900
    )


def run_once(state: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """``./dev run --once --json``: exit status, its JSON, its progress."""
    done = dev_run(state, "--json", *arguments)
    try:
        return done.returncode, json.loads(done.stdout), done.stderr
    except json.JSONDecodeError:
        raise AssertionError(f"no JSON: {done.stdout[-500:]} {done.stderr[-2000:]}") from None


def test_run_once_archives_everything_and_again_nothing(
    tmp_path: Path, acceptance_point: AcceptancePoint
) -> None:
    """The demonstration tenant is archived by one command; a second one on its state writes nothing."""
    first_status, first, _ = run_once(tmp_path / "state")
    second_status, second, _ = run_once(tmp_path / "state")
    rows = [*first["configurations"], *second["configurations"]]
    off = sum(sum(row[name] for name in OUTCOMES) != row["source"] for row in rows)
    lost = sum(row["missing"] + row["doubled"] + row["failed"] for row in rows)
    written = sum(row["archived"] + row["updated"] for row in second["configurations"])
    archived = sum(row["archived"] for row in first["configurations"])
    acceptance_point(
        measured=f"{archived} archived, {lost} lost or doubled, {off} reports off, then {written} written",
        bound="0 lost or doubled, 0 off, 0 written again",
    )
    assert (first_status, second_status, lost, off, written) == (0, 0, 0, 0, 0)
    assert len(first["mailboxes"]) == 3
    assert archived > 360


def test_demonstration_shows_every_outcome(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """A line for each configuration: timesheet, overlaps that wait, a calendar of our own, a backfill."""
    status, report, told = run_once(tmp_path / "state")
    rows = {
        (row["purpose"], row["overlap_policy"], row["archive"][:5]): row for row in report["configurations"]
    }
    counted = [*OUTCOMES[:1], *SEEN]
    seen = {name: sum(row[name] for row in report["configurations"]) for name in counted}
    backfills = [row["backfill"] for row in report["configurations"] if row["backfill"]]
    text = dev_run(tmp_path / "state").stdout
    lines = [line for line in text.splitlines() if " events: " in line]
    acceptance_point(
        measured=f"exit {status}, {len(report['configurations'])} configurations, {seen}, "
        f"{[backfill['status'] for backfill in backfills]}",
        bound="exit 0, 6 configurations, each outcome seen, ['completed']",
    )
    assert status == 0, told
    assert len(report["configurations"]) == 6
    assert all(seen.values()), seen
    assert rows["timesheet", "auto", "msgra"]["left_out"] > 0
    assert rows["timesheet", "auto", "msgra"]["overlaps_resolved"] > 0
    assert rows["general", "flag", "msgra"]["flagged"] > 0
    assert rows["general", "keep_all", "local"]["archived"] > 60
    assert [(each["status"], each["progress"]) for each in backfills] == [("completed", 100)]
    # Each configuration of the three, and what waits for one of them.
    assert len(lines) == 6
    assert "overlaps need Marcus" in text
    assert "Try next" in text
    # A meeting that was entered again after it was archived: its owner is asked.
    (question,) = report["changed_meeting"]["questions"]
    assert (question["status"], len(question["archived"]), len(question["new"])) == ("open", 1, 1)
    assert "A changed meeting: “Steering committee”" in text


def test_large_scale_tenant(tmp_path: Path, acceptance_point: AcceptancePoint, quick: bool) -> None:
    """Fifty mailboxes of four hundred events are archived by one command."""
    status, report, _ = run_once(tmp_path / "state", "--scale", "large")
    rows = report["mailboxes"].values()
    lost = sum(row["missing"] + row["doubled"] + row["failed"] for row in rows)
    source = sum(row["source"] for row in rows)
    acceptance_point(
        measured=f"{len(rows)} mailboxes, {source} events, {lost} lost or doubled", bound="0 lost"
    )
    assert (status, lost) == (0, 0)
    assert len(rows) >= 50
    assert source >= 20_000


def test_own_calendar_file(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """An exported calendar is archived whole; overlaps, uncategorised events and hours are told of it."""
    file = ("--calendar", str(ROOT / "tests/acceptance/own_calendar.ics"))
    status, report, told = run_once(tmp_path / "state", *file)
    own = next(row for address, row in report["mailboxes"].items() if address.startswith("own"))
    lost = own["missing"] + own["doubled"] + own["failed"]
    (found,) = report["calendars"]
    hours = {(line["customer"], line["billing_type"]): line["hours"] for line in found["hours"]["lines"]}
    overlaps = [group for month in found["months"] for group in month["overlaps"]]
    needed = [item for month in found["months"] for item in month["attention"]]
    again = dev_run(tmp_path / "state", *file, "--month", "2026-10")
    acceptance_point(
        measured=f"{own['archived']} archived, {lost} lost or doubled, {len(overlaps)} overlap, "
        f"{len(needed)} to decide, {hours}",
        bound="13 archived, 0 lost, 1 overlap, what needs its owner, hours by customer",
    )
    assert (status, lost) == (0, 0), told
    assert own["archived"] == 13
    (group,) = overlaps
    assert {member["subject"] for member in group["members"]} == {"Workshop", "Call inside the workshop"}
    suggested = {item["name"]: item["suggestion"] for item in needed}
    assert suggested["Weekly review"] == "Northwind - non-billable"
    assert hours == {("Acme", "billable"): 4.0, ("Northwind", "non-billable"): 1.0}
    assert again.returncode == 0, again.stderr
    # Lines break where the terminal ends.
    shown = " ".join(again.stdout.split())
    for told_to_people in (
        "10:00 – 10:30 Call inside the workshop",
        "meeting of the same series has it.",
        "2026-11 2.00 h",
    ):
        assert told_to_people in shown


async def test_kill_nine_at_any_moment(
    tmp_path: Path, acceptance_point: AcceptancePoint, quick: bool
) -> None:
    """Every process of the system in turn is killed in the middle of a run; nothing is lost or doubled."""
    count = 4 if quick else 20
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    wrong = await survive_kills(tmp_path / "state", [Kill.drawn(number, chance) for number in range(count)])
    acceptance_point(measured=f"{count} kills (seed {seed}), {len(wrong)} gone wrong", bound="0 gone wrong")
    assert wrong == []


@pytest.mark.one_instance
@pytest.mark.alone
async def test_thousand_new_events_near_the_bound(acceptance_point: AcceptancePoint) -> None:
    """A thousand new events take little longer than Graph's own limit, and few round trips."""
    row = (await archive_benchmark.measure(((1, 1000),), [50.0]))[0]
    ours = row["ours"]
    acceptance_point(
        measured=f"{ours['time_over_bound']} of the bound, {ours['round_trips_per_1000']} round trips, "
        f"again {ours['rerun_reads']} reads {ours['rerun_writes']} writes",
        bound="1.25 of the bound, 60 round trips, again 0 writes",
    )
    assert ours["time_over_bound"] <= 1.25
    assert ours["round_trips_per_1000"] <= 60
    assert ours["rerun_writes"] == 0
    assert ours["max_concurrent"] <= 4
    assert row["baseline"]["time_over_bound"] > ours["time_over_bound"]


async def test_trouble_with_graph_converges(
    tmp_path: Path, acceptance_point: AcceptancePoint, quick: bool
) -> None:
    """429, 503, dropped connections and lost answers, on reads, whole batches and single writes in them."""
    wrong: list[str] = []
    cases = [(place, trouble) for place in PLACES for trouble in TROUBLE]
    async with Stack(tmp_path / "state", latency_ms=10) as stack:
        system = await System.of(stack)
        await system.reset_counters()
        for number, (place, trouble) in enumerate(cases[::4] if quick else cases):
            archive = await system.add_mailbox(f"trouble-{number}", EVENTS)
            await stack.simulator(
                "POST", "faults", {"match": {**place, "mailbox": archive.address}, **trouble}
            )
            run, _ = await system.archive(archive)
            copies = await system.copies(archive)
            if run["status"] != "completed" or len(copies) != EVENTS or set(copies.values()) != {1}:
                wrong.append(f"{place} {trouble}: {run['status']}, {len(copies)} copies")
        counters = await system.counters()
    impatient = counters["requests_while_told_to_wait"]
    acceptance_point(
        measured=f"{len(wrong)} not converged, {impatient} requests while told to wait", bound="0, 0"
    )
    assert (wrong, impatient, counters["invitations_sent"]) == ([], 0, 0)


async def test_bad_input_is_refused_by_field(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """Bad references, windows, zones, ids, bodies, tokens: a 4xx naming the field, nothing written."""
    async with Stack(tmp_path / "state") as stack:
        system = await System.of(stack)
        archive = await system.add_mailbox("bad-input", 3)
        wrong, count = await refusals(system, archive)
    acceptance_point(measured=f"{count} bad requests, {len(wrong)} answered wrongly", bound="0 wrongly")
    assert wrong == []


def test_two_systems_side_by_side(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """Two systems with folders of their own run at the same time and do not meet."""

    async def both() -> list[tuple[int, dict[str, Any], str]]:
        return await asyncio.gather(
            *(asyncio.to_thread(run_once, tmp_path / name) for name in ("one", "two"))
        )

    results = asyncio.run(both())
    acceptance_point(measured=f"exit {[status for status, _, _ in results]}", bound="exit [0, 0]")
    assert [status for status, _, _ in results] == [0, 0]


def test_a_taken_port_is_one_line(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """A taken port ends the command with one clear line and no traceback."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "infra.local",
                "run",
                "--once",
                "--port",
                str(port),
                "--state",
                str(tmp_path),
            ],
            cwd=ROOT,
            env=os.environ.copy(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    said = [line for line in done.stderr.splitlines() if str(port) in line]
    acceptance_point(
        measured=f"exit {done.returncode}, {len(said)} line(s)", bound="exit not 0, 1 line, no traceback"
    )
    assert done.returncode != 0
    assert len(said) == 1
    assert "Traceback" not in done.stderr
