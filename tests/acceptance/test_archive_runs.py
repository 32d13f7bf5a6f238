"""Runs and what is done beside them: each point through the running system, as a customer sees it."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from infra.local import identities
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.support.killing import SHORT_TIMES
from tests.support.person import (
    ACME,
    OUTCOMES,
    Archived,
    Person,
    accounted,
    at,
    meeting,
    overlapping,
    until,
    week,
    written,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_verification_puts_back_and_adopts(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Verify finds an edited and a deleted copy. One is adopted, the other put back, on the owner's word."""
    events = [meeting(f"Meeting {number}", at(9, number)) for number in range(5)]
    person = await Person.join(stack, "verified", events)
    archived = await person.configure()
    await person.archive(archived)
    await person.edit(await person.event("Meeting 1", "Archive"), subject="My own words")
    await person.delete(await person.event("Meeting 3", "Archive"))
    before = await verified(person, archived)
    left = await person.subjects()
    by_kind = {finding["kind"]: finding for finding in before}
    path = f"verifications/{by_kind['edited']['verification_id']}/findings"
    await person.api.request("POST", f"{path}/{by_kind['edited']['id']}/adopt")
    await person.over(await person.post(f"{path}/{by_kind['missing']['id']}/put-back"))
    after = await verified(person, archived)
    kinds = sorted(finding["kind"] for finding in before)
    acceptance_point(
        measured=f"found {kinds}, afterwards {len(after)}", bound="found ['edited', 'missing'], afterwards 0"
    )
    assert (kinds, after) == (["edited", "missing"], [])
    assert len(left) == 4, "nothing is put back by itself"
    assert await person.subjects() == ["Meeting 0", "Meeting 2", "Meeting 3", "Meeting 4", "My own words"]


async def test_backfill_is_paused_and_resumed(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Six months before the nightly ones, paused and resumed: one progress figure, nothing doubled."""
    this_month = datetime.now(UTC).date().replace(day=1)
    nightly = months_before(this_month, 1)
    first = months_before(nightly, 6)
    days = [
        months_before(nightly, number) + timedelta(days=day) for number in range(1, 7) for day in range(20)
    ]
    events = [meeting(f"On {day}", datetime.combine(day, time(9), UTC)) for day in days]
    person = await Person.join(stack, "backfilled", events)
    archived = await person.configure(archive_from=nightly.isoformat())
    told: list[int] = []
    started = await person.api.request(
        "POST", f"{archived.path}/backfill", {"archive_from": first.isoformat()}
    )
    paused = (await person.api.request("POST", f"{archived.path}/backfill/pause")).json()

    async def idle() -> bool:
        return all(run["finished_at"] for run in await person.items(f"{archived.path}/runs"))

    await until(idle)
    standing = await person.get(f"{archived.path}/backfill")
    copies_then = len(await person.events("Archive"))
    await person.api.request("POST", f"{archived.path}/backfill/resume")

    async def note(backfill: dict[str, Any]) -> None:
        told.append(backfill["progress"])

    done = await person.over(f"{archived.path}/backfill", note)
    copies = Counter(await person.subjects())
    acceptance_point(
        measured=f"{standing['months_done']} of 6 months while paused, {done['progress']} % after, "
        f"{len(copies)} of {len(events)}, at most {max(copies.values())} each",
        bound="fewer than 6, 100 %, all, 1 each",
    )
    assert (started.status_code, paused["status"], standing["status"]) == (202, "paused", "paused")
    assert standing["months_done"] < 6
    assert copies_then < len(events)
    assert told == sorted(told)
    assert (done["status"], done["months_done"], done["progress"]) == ("completed", 6, 100)
    assert (len(copies), max(copies.values())) == (len(events), 1)


async def test_cancelled_run_keeps_what_it_wrote(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A running run that is cancelled keeps what succeeded, and its retry does the rest alone."""
    events = [
        meeting(f"Meeting {number}", at(0, number // 40) + timedelta(minutes=30 * (number % 40)), 25)
        for number in range(200)
    ]
    person = await Person.join(stack, "cancelled", events)
    archived = await person.configure()
    await stack.simulator("PATCH", "settings", {"latency_ms": 40})
    try:
        url = await person.start(archived)

        async def cancel(run: dict[str, Any]) -> None:
            if run["writes_done"]:
                await person.api.request("POST", f"archive-runs/{run['id']}/cancel")

        run = await person.over(url, cancel)
    finally:
        await stack.simulator("PATCH", "settings", {"latency_ms": 0})
    kept = len(await person.events("Archive"))
    again = await person.over(await person.post(f"archive-runs/{run['id']}/retry"))
    copies = Counter(await person.subjects())
    acceptance_point(
        measured=f"{run['status']} with {kept} of {len(events)}, retry wrote {again['report']['archived']}",
        bound="cancelled with some, the rest by retry, none twice",
    )
    assert run["status"] == "cancelled"
    assert 0 < kept < len(events)
    assert (again["status"], again["report"]["archived"]) == ("completed", len(events) - kept)
    assert (len(copies), max(copies.values())) == (len(events), 1)


async def test_kill_nine_under_every_policy(
    tmp_path: Path, acceptance_point: AcceptancePoint, quick: bool
) -> None:
    """The host is killed while one person's timesheet, flagged, local and backfilled archives run at once."""
    moments = [1.0] if quick else [0.4, 1.0, 1.8]
    wrong: list[str] = []
    async with Stack(tmp_path / "system", env=SHORT_TIMES, latency_ms=25) as stack:
        for number, moment in enumerate(moments):
            wrong += await _killed(stack, f"killed{number}", moment)
    acceptance_point(measured=f"{len(moments)} kills, {len(wrong)} gone wrong", bound="0 gone wrong")
    assert wrong == []


async def _killed(stack: Stack, name: str, moment: float) -> list[str]:
    """Verify finds an edited and a deleted copy. One is adopted, the other put back, on request."""
    this_month = datetime.now(UTC).date().replace(day=1)
    older = datetime.combine(months_before(this_month, 2), time(9), UTC)
    week_of_work = [
        meeting(f"{day} {hour}", at(hour, day), 90 if hour == 9 else 30, **ACME)
        for day in range(5)
        for hour in (8, 9, 10, 14, 16)
    ]
    old = [meeting(f"Old {day}", older + timedelta(days=day)) for day in range(20)]
    person = await Person.join(stack, name, week_of_work + old)
    reference = f"local://{person.address}/calendars/Kept"
    wanted = {
        "Timesheet": await person.configure("Timesheet", purpose="timesheet"),
        "Flagged": await person.configure("Flagged", overlap_policy="flag"),
        "Kept": await person.configure(reference, name="Kept"),
    }
    backfilled = await person.configure("Old", archive_from=months_before(this_month, 1).isoformat())
    urls = {kind: await person.start(archived) for kind, archived in wanted.items()}
    first = {"archive_from": older.date().isoformat()}
    await person.api.request("POST", f"{backfilled.path}/backfill", first)
    await asyncio.sleep(moment)
    await stack.kill_host()
    await stack.start_host()
    runs = {kind: await person.over(url) for kind, url in urls.items()}
    await person.over(f"{backfilled.path}/backfill")
    told = {kind: run["report"] for kind, run in runs.items()}
    found = {kind: Counter(await person.subjects(kind)) for kind in ("Timesheet", "Flagged", "Old")}
    # 9:00 to 10:30 meets 10:00 to 10:30 every day; nothing tells the rules which of both it is.
    expected = {"Timesheet": (15, 10), "Flagged": (15, 10), "Kept": (25, 0)}
    wrong = [
        f"after {moment} s {kind}: {runs[kind]['status']}, {told[kind]}"
        for kind, counts in expected.items()
        if (told[kind]["archived"], told[kind]["flagged"]) != counts or not accounted(told[kind])
    ]
    wrong += [
        f"after {moment} s {kind}: {copies.total()} copies of {number}"
        for kind, number in (("Timesheet", 15), ("Flagged", 15), ("Old", 20))
        if (copies := found[kind]).total() != number or max(copies.values()) > 1
    ]
    kept = await person.items(f"local-calendars/{await local_calendar(person, 'Kept')}/events", **week())
    return wrong if len(kept) == 25 else [*wrong, f"after {moment} s: {len(kept)} of 25 in our calendar"]


async def test_dry_run_is_what_the_run_does(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """The dry run names what the run then does, and writes nothing."""
    twin = meeting("Twin", at(20), **ACME)
    events = [
        *overlapping(),
        meeting("Steering", at(13), **ACME),
        meeting("Extended", at(14), 30),
        meeting("Dentist", at(16)),
        *(twin, twin),
    ]
    person = await Person.join(stack, "dry", events)
    archived = await person.configure(purpose="timesheet", overlap_policy="flag")
    window = {"window_start": at(0).isoformat(), "window_end": at(0, 7).isoformat()}
    await stack.simulator("POST", "counters/reset")
    plan = await person.get(f"{archived.path}/plan", **window)
    counters = await stack.simulator("GET", "counters")
    before = await person.events("Archive")
    report = await person.archive(archived)
    names = {
        "create": "archived",
        "merge": "merged",
        "consume": "consumed",
        "leave_out": "left_out",
        "flag": "flagged",
    }
    planned = {names[action]: count for action, count in plan["actions"].items()}
    done = {name: report[name] for name in OUTCOMES if report[name]}
    acceptance_point(measured=f"planned {planned}, done {done}", bound="the same, nothing written before")
    assert planned == done
    assert before == []
    assert counters["writes"] == 0
    extended = next(event for event in plan["events"] if event["subject"] == "Steering")
    assert datetime.fromisoformat(extended["archived_end"]) == at(14.5)


async def test_replace_rewrites_what_was_edited(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Replace mode rewrites edited copies in place and makes missing ones again. Nothing is doubled."""
    person = await Person.join(stack, "replaced", [meeting(f"Meeting {n}", at(9, n)) for n in range(4)])
    archived = await person.configure()
    await person.archive(archived)
    edited = await person.event("Meeting 1", "Archive")
    await person.edit(edited, subject="Scribble")
    await person.delete(await person.event("Meeting 2", "Archive"))
    await person.archive(archived, mode="replace")
    subjects = await person.subjects()
    same = (await person.event("Meeting 1", "Archive"))["id"] == edited["id"]
    acceptance_point(measured=f"{len(subjects)} copies, in place: {same}", bound="4 copies, in place: True")
    assert subjects == [f"Meeting {number}" for number in range(4)]
    assert same


async def test_local_calendars_are_archived(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A calendar of the mailbox goes into one of our own, one of our own into the mailbox."""
    person = await Person.join(stack, "local", [meeting(f"Outside {n}", at(9, n)) for n in range(3)])
    into = await person.configure("local://local@example.com/calendars/Kept")
    first = await person.archive(into)
    own = await person.own_api()
    kept = await local_calendar(person, "Kept")
    inside = [event async for event in own.items(f"local-calendars/{kept}/events", **week())]
    wish = {"store": "local", "name": "Projects"}
    made = (await own.request("POST", f"users/{person.user_id}/calendars", wish)).json()
    entry = {"subject": "Inside", "start": at(9).isoformat(), "end": at(10).isoformat()}
    await own.request("POST", f"local-calendars/{made['local_calendar_id']}/events", entry)
    outward = await person.configure("Projects, archived", source=made["reference"])
    second = await person.archive(outward)
    again = written(await person.archive(into)) + written(await person.archive(outward))
    acceptance_point(
        measured=f"{len(inside)} inside, {second['archived']} outside, then {again} written",
        bound="3 inside, 1 outside, then 0 written",
    )
    assert (first["archived"], second["archived"]) == (3, 1)
    assert sorted(event["subject"] for event in inside) == ["Outside 0", "Outside 1", "Outside 2"]
    assert all(event["is_archived_copy"] for event in inside)
    assert await person.subjects("Projects, archived") == ["Inside"]
    assert again == 0


async def test_deleted_archive_calendar_is_rebuilt(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A deleted archive calendar fails the run, pauses the job, and is rebuilt from our record, each once."""
    events = [meeting(f"Meeting {number}", at(9, number % 7)) for number in range(30)]
    person = await Person.join(stack, "rebuilt", events)
    archived = await person.configure(schedule={"kind": "daily", "at": "02:00"})
    await person.archive(archived)
    await person.delete(await person.event("Meeting 3"))
    await person.archive(archived)
    before = Counter(await person.subjects())
    await person.delete_calendar("Archive")
    failed = await person.over(await person.start(archived))
    paused = await person.get(archived.path)
    rebuilt = await person.over(await person.post(f"{archived.path}/rebuild"))
    after = Counter(await person.subjects())
    resumed = await person.get(archived.path)
    again, found = written(await person.archive(archived)), await verified(person, archived)
    acceptance_point(
        measured=f"{failed['reason_code']}, {after.total()} copies of {before.total()} back, "
        f"then {again} written and {len(found)} found",
        bound="archive_calendar_gone, 30 copies of 30 back, then 0 written and 0 found",
    )
    assert failed["reason_code"] == "archive_calendar_gone"
    assert paused["archive_gone_since"] is not None
    assert (paused["next_run_at"], resumed["archive_gone_since"]) == (None, None)
    assert resumed["next_run_at"] is not None
    assert (rebuilt["status"], rebuilt["report"]["archived"]) == ("completed", 30)
    assert (after, again) == (before, 0)
    # Nothing but what was known before: the source of that one is gone.
    assert found == []


async def test_one_pair(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A second configuration of one source and one archive is refused, however named; nothing is doubled."""
    events = [meeting(f"Meeting {number}", at(8 + number % 8, number // 8)) for number in range(40)]
    person = await Person.join(stack, "paired", events)
    archived = await person.configure()
    await person.archive(archived)
    first = await person.get(archived.path)
    calendars = f"msgraph://{identities.object_id(person.address)}/calendars"
    named = [
        {},
        {"source": f"msgraph://{person.address}/calendars/Calendar"},
        {"archive": f"{calendars}/{quote(first['archive_calendar_id'], safe='')}"},
        {"source": f"{calendars}/{quote(first['source_calendar_id'], safe='')}", "purpose": "timesheet"},
    ]
    refused = [await refusal(person, name=f"Second {n}", **wish) for n, wish in enumerate(named)]
    wish = {"store": "outlook", "name": "Other"}
    await person.api.request("POST", f"users/{person.user_id}/calendars", wish)
    at_once = await asyncio.gather(*(refusal(person, "Other", name=f"Race {n}") for n in range(3)))
    again = written(await person.archive(archived))
    copies, found = Counter(await person.subjects()), await verified(person, archived)
    acceptance_point(
        measured=f"refused {sorted(set(refused))}, at once {sorted(at_once)}, {copies.total()} copies of 40, "
        f"{again} written, {len(found)} found",
        bound="all archive_in_use, one of three made, 40 copies of 40, 0 written, 0 found",
    )
    assert set(refused) == {"archive_in_use"}
    assert sorted(at_once) == ["archive_in_use", "archive_in_use", "made"]
    assert (copies.total(), max(copies.values()), again, found) == (40, 1, 0, [])


async def refusal(person: Person, into: str = "Archive", **wish: Any) -> str:
    """The code with which a configuration is refused; ``made`` where it is not."""
    body = {
        "user_id": person.user_id,
        "source": f"msgraph://{person.address}/calendar",
        "archive": f"msgraph://{person.address}/calendars/{into}",
        "time_zone": "UTC",
    }
    headers = {"Authorization": f"Bearer {await person.stack.token()}"}
    answer = await person.stack.client.post(
        f"{person.stack.api}/archive-configurations", json=body | wish, headers=headers
    )
    return "made" if answer.status_code == 201 else str(answer.json()["code"])


async def test_audit_tells_of_a_run(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A run is found in the audit by its correlation id, exported in both formats, in a chain that holds."""
    person = await Person.join(stack, "audited", [meeting("Meeting", at(9))])
    archived = await person.configure()
    run = await person.over(await person.start(archived))
    found = await person.items("audit", correlation_id=run["correlation_id"])
    texts = {
        kind: (await person.api.request("GET", "audit/export", format=kind, user_id=person.user_id)).text
        for kind in ("jsonl", "csv")
    }
    rows = {kind: len(text.strip().splitlines()) for kind, text in texts.items()}
    await person.fire("dispatch")
    verified = (await person.get("audit/verification"))["intact"]
    actions = {entry["action"] for entry in found}
    acceptance_point(
        measured=f"{sorted(actions)}, {rows['jsonl']} and {rows['csv']} lines, intact: {verified}",
        bound="the run's end among them, one more line as CSV, intact: True",
    )
    assert "archive_run.completed" in actions
    assert rows["csv"] == rows["jsonl"] + 1
    assert verified


def months_before(first: date, number: int) -> date:
    """The first day of the month, this many months before that of ``first``."""
    for _ in range(number):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


async def verified(person: Person, archived: Archived) -> list[dict[str, Any]]:
    """What a verification of the first week finds."""
    window = {"window_start": at(0).isoformat(), "window_end": at(0, 7).isoformat()}
    url = await person.post(f"{archived.path}/verifications", window)
    done = await person.over(url)
    assert done["status"] == "completed", done
    return await person.items(f"verifications/{done['id']}/findings")


async def local_calendar(person: Person, name: str) -> str:
    """Id of a calendar of our own."""
    calendars = await person.items(f"users/{person.user_id}/calendars", store="local")
    return next(str(each["local_calendar_id"]) for each in calendars if each["name"] == name)
