"""``./dev run`` as a person uses it: it archives, says what it did, and notices what is wrong."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from sqlalchemy import make_url

from infra.local.archive_copies import property_of
from infra.local.postgres import Postgres
from infra.local.stack import ROOT, Stack
from infra.local.state_folder import delete_state

pytestmark = pytest.mark.slow

_ADDRESS = "anna.gruber@example.com"
_CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
X-WR-TIMEZONE:Europe/Vienna
BEGIN:VEVENT
UID:series
DTSTART;TZID=Europe/Vienna:20240902T090000
DTEND;TZID=Europe/Vienna:20240902T103000
RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10
EXDATE;TZID=Europe/Vienna:20240909T090000
SUMMARY:Jour fixe
END:VEVENT
BEGIN:VEVENT
UID:pills
DTSTART;TZID=Europe/Vienna:20240903T090000
DTEND;TZID=Europe/Vienna:20240903T091500
RRULE:FREQ=HOURLY;COUNT=3
SUMMARY:Pills
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state of mine"
    yield folder
    delete_state(folder)


async def test_a_run_archives_everything_once_and_a_second_one_nothing(state: Path) -> None:
    status, first, said = run_once(state)
    assert status == 0, said
    assert len(first) == 3
    for counts in first.values():
        assert counts["archived"] > 60
        accounted = ("archived", "merged", "consumed", "left_out", "flagged")
        assert sum(counts[name] for name in accounted) == counts["source"]
    status, second, said = run_once(state)
    assert status == 0, said
    for counts in second.values():
        assert counts["unchanged"] > 0
        assert not any(counts[name] for name in ("archived", "updated", "failed", "missing", "doubled"))


async def test_lost_copies_and_a_second_copy_are_named_whatever_the_database_says(state: Path) -> None:
    assert run_once(state)[0] == 0
    async with Stack(state) as stack:
        everything = await archived(stack, "Archive")
        times = Counter(json.dumps([copy["subject"], copy["start"], copy["end"]]) for copy in everything)
        alone = [
            copy
            for copy in everything
            if times[json.dumps([copy["subject"], copy["start"], copy["end"]])] == 1
        ]
        # More than the runs of this archive leave without a copy, and as many as are flagged in the other.
        lost, doubled = alone[:20], alone[20]
        timesheet = (await archived(stack, "Timesheet"))[:2]
        for copy in [*lost, *timesheet]:
            await stack.simulator("DELETE", f"mailboxes/{_ADDRESS}/events/{copy['id']}")
        names = ("subject", "body", "start", "end", "isAllDay", "singleValueExtendedProperties")
        twin = {name: doubled[name] for name in names}
        await stack.simulator("POST", f"mailboxes/{_ADDRESS}/events", twin, calendar="Archive")
    status, report, said = run_json(state)
    assert status == 1
    first, second = (entry for entry in report["configurations"] if entry["mailbox"] == _ADDRESS)
    assert named(first["missing_events"]) == sorted(map(name_of, lost))
    assert named(first["doubled_events"]) == [name_of(doubled)]
    assert (first["missing"], first["doubled"]) == (20, 1)
    assert (len(second["missing_events"]), second["missing"], second["doubled"]) == (2, 2, 0)
    assert f"dev: {_ADDRESS}, Calendar archive: 20 missing" in said


async def test_a_calendar_file_becomes_a_mailbox_and_is_told_in_hours(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "Mein Kalender.ics"
    path.write_text(_CALENDAR)
    command = [*dev("run", "--once", "--json"), "--state", str(state), "--port", "0", "--calendar", path.name]
    # The name is relative to the folder of the caller.
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (calendar,) = told["calendars"]
    assert told["mailboxes"][calendar["mailbox"]]["archived"] == calendar["events"] == 12
    assert calendar["zone"] == "Europe/Vienna"
    assert calendar["series"] == 1
    jsonschema_rs.validate(json.loads((ROOT / "docs/run-report.schema.json").read_text()), told)
    assert [month["month"] for month in calendar["months"]] == ["2024-09", "2024-10", "2024-11"]
    total = sum(month["total"]["net_hours"] for month in calendar["months"])
    assert total == calendar["hours"]["total"]["net_hours"]
    assert calendar["weeks"][0] == {"monday": "2024-09-02", "events": 4, "hours": 2.25, "net_hours": 2.25}
    # Graph knows no hourly series: its three times are events of their own.
    assert calendar["unrepresentable"] == []
    assert ["Pills" in note for note in map(str, calendar["notes"])] == [True]


async def test_console_page_lines_and_json_tell_the_same_hours(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "kim.ics"
    path.write_text(_CALENDAR)
    page, lines = tmp_path / "kim.html", tmp_path / "kim.csv"
    wanted = ["--calendar", str(path), "--month", "2024-09", "--report", str(page), "--lines", str(lines)]
    printed = await asyncio.to_thread(
        subprocess.run,
        [*dev("run", "--once"), "--state", str(state), "--port", "0", *wanted],
        env=environment() | {"COLUMNS": "80"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert printed.returncode == 0, printed.stderr
    assert "round trips" not in printed.stdout
    assert "example.com" not in printed.stdout
    assert max(map(len, printed.stdout.splitlines())) <= 80
    _, told, _ = run_json(state, *wanted)
    (month,) = (each for each in told["calendars"][0]["months"] if each["month"] == "2024-09")
    net, gross = month["total"]["net_hours"], month["total"]["hours"]
    assert f"{net:.2f} h net" in printed.stdout
    assert f"{gross:.2f} h gross" in printed.stdout
    assert f"<dd>{net:.2f}</dd>" in page.read_text()
    assert f"<dd>{gross:.2f}</dd>" in page.read_text()
    with lines.open(newline="") as file:
        assert sum(float(line["hours"]) for line in csv.DictReader(file)) == gross
    for customer in month["customers"]:
        assert customer["customer"] in printed.stdout
        assert customer["customer"] in page.read_text()


async def test_a_database_of_another_system_is_refused_again_and_again(state: Path, tmp_path: Path) -> None:
    async with Postgres(tmp_path / "server", environ={}) as server:
        url = make_url(server.url()).set(drivername="postgres", username="postgres", database="shared")
        given = environment() | {"DATABASE_URL": url.render_as_string(hide_password=False)}
        other, calendar = tmp_path / "other", tmp_path / "kim.ics"
        calendar.write_text(_CALENDAR)
        command = [*dev("run", "--once"), "--port", "0", "--calendar", str(calendar), "--state"]
        statuses, said = [], ""
        for folder in (state, state, other, other):
            process = await asyncio.create_subprocess_exec(
                *command, str(folder), env=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            said = (await process.communicate())[1].decode()
            statuses.append(process.returncode)
    delete_state(tmp_path / "server")
    assert statuses == [0, 0, 1, 1], said
    assert "from another system" in said.splitlines()[-1]


async def test_it_serves_until_it_is_told_to_stop(state: Path) -> None:
    command = [*dev("run"), "--state", str(state), "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    said = ""
    while "Stop: Ctrl-C" not in said and (line := await process.stdout.readline()):
        said += line.decode()
    for name in ("API", "Graph", "Entra", "simulator", "PostgreSQL", "logs", "Token of"):
        assert name in said
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in errors.decode()


async def archived(stack: Stack, calendar: str) -> list[dict[str, Any]]:
    copies = (await stack.simulator("GET", f"mailboxes/{_ADDRESS}/events", calendar=calendar))["value"]
    return [copy for copy in copies if property_of(copy, "ArchiveKey")]


def name_of(event: dict[str, Any]) -> tuple[str, str]:
    return event["start"]["dateTime"][:19] + "Z", event["subject"]


def named(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((event["start"], event["subject"]) for event in events)


def run_once(state: Path) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Exit status, counts by mailbox and what went to stderr."""
    status, report, said = run_json(state)
    return status, report["mailboxes"], said


def run_json(state: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, the report and what went to stderr."""
    command = [*dev("run", "--once", "--json"), "--state", str(state), "--port", "0", *arguments]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def dev(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "infra.local", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
