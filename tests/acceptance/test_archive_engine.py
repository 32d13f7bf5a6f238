"""The archive engine, whole: each point through the running system, as a customer sees it."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import pytest_asyncio

from infra.local.stack import Stack
from infra.local.state_folder import delete_state
from tests.acceptance.conftest import AcceptancePoint
from tests.support.person import Archived, Person, at, ends, meeting, starts, until
from tests.support.postgres import administrator

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACME: dict[str, Any] = {"categories": ["Acme - billable"]}
OUTCOMES = (
    *("archived", "unchanged", "updated", "merged", "consumed"),
    *("left_out", "flagged", "locked", "conflict", "failed"),
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One system for all points; each has a person of its own."""
    folder = tmp_path_factory.mktemp("engine") / "state"
    async with Stack(folder) as system:
        yield system
    delete_state(folder)


async def test_timesheet_takes_billable_time_and_travel(
    stack: Stack, acceptance_point: AcceptancePoint
) -> None:
    """A timesheet takes billable time and travel alone and counts what it left out."""
    taken = [
        meeting("Contract", at(9), **ACME),
        meeting("Reversed", at(11), categories=["Non-billable - Acme"]),
        meeting("Flight to Graz", at(13)),
    ]
    left = [
        meeting("Dentist", at(15)),
        meeting("Contract strip review", at(17)),
        meeting("Wrong category", at(19), categories=["Acme billable"]),
        meeting("Idle", at(21), showAs="free", **ACME),
        meeting("Perhaps", at(9.5), showAs="tentative", **ACME),
    ]
    person = await Person.join(stack, "timesheet", taken + left)
    archived = await person.configure("Timesheet", purpose="timesheet")
    report = await person.archive(archived)
    told = (report["archived"], report["left_out"], report["overlaps_resolved"])
    acceptance_point(measured=f"{told} archived, left out, overlaps resolved", bound="(3, 5, 1)")
    assert told == (3, 5, 1)
    assert accounted(report)
    assert await person.subjects("Timesheet") == sorted(event["subject"] for event in taken)
    assert (await person.archive(archived))["unchanged"] == 3


async def test_modification_moves_the_copy_and_back(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """ "Extended" moves the archived meeting's end; when it vanishes the copy goes back."""
    orphan = meeting("Extension", at(5), 15)
    person = await Person.join(stack, "modified", [meeting("Steering", at(14)), orphan])
    await person.add(meeting("Extended", at(15), 30))
    archived = await person.configure()
    first = await person.archive(archived)
    extended = ends(await person.event("Steering", "Archive"))
    await person.delete(await person.event("Extended"))
    second = await person.archive(archived)
    back = ends(await person.event("Steering", "Archive"))
    measured = f"end {extended:%H:%M}, then {back:%H:%M}, {first['consumed']} consumed"
    acceptance_point(measured=measured, bound="end 15:30, then 15:00, 1 consumed")
    assert (extended, back) == (at(15.5), at(15))
    assert (first["consumed"], first["modifications_applied"], first["orphan_modifications"]) == (1, 1, 1)
    assert (second["updated"], second["modifications_applied"]) == (1, 0)
    assert await person.subjects() == ["Extension", "Steering"]


async def test_flagged_overlap_waits_for_its_owner(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A flagged overlap waits, is resolved through the API by its owner, and only then archived."""
    person = await Person.join(stack, "flagged", overlapping())
    archived = await person.configure(overlap_policy="flag")
    waiting = await person.archive(archived)
    before = await person.subjects()
    own = await person.own_api()
    (group,) = [item async for item in own.items("overlaps", status="flagged")]
    members = (await own.request("GET", f"overlaps/{group['id']}")).json()["members"]
    kept = next(member["key"] for member in members if member["subject"] == "Workshop")
    resolution = {"action": "keep", "kept": [kept]}
    resolved = (await own.request("POST", f"overlaps/{group['id']}/resolution", resolution)).json()
    run = await person.over(f"archive-runs/{resolved['run_id']}")
    after = await person.subjects()
    acceptance_point(
        measured=f"{waiting['flagged']} flagged, {len(before)} then {len(after)} copies",
        bound="2 flagged, 1 then 2 copies",
    )
    assert (waiting["flagged"], before) == (2, ["Alone"])
    assert (run["state"], after) == ("completed", ["Alone", "Workshop"])
    again = await person.archive(archived)
    assert (again["unchanged"], again["left_out"], again["flagged"]) == (2, 1, 0)


async def test_expired_overlap_is_archived_whole(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """An overlap that nobody resolved in time is archived whole (its date is moved by hand)."""
    person = await Person.join(stack, "expired", overlapping())
    archived = await person.configure(overlap_policy="flag")
    await person.archive(archived)
    (group,) = await person.items("overlaps", configuration_id=archived.id)
    # No setting is shorter than a day.
    async with administrator(stack.owner_database_url) as connection:
        statement = "UPDATE overlap_groups SET expires_at = now() - interval '1 hour' WHERE id = $1"
        await connection.execute(statement, group["id"])
    await person.fire("expire_overlaps")

    async def idle() -> bool:
        runs = await person.items(f"{archived.path}/runs")
        return len(runs) == 2 and all(run["finished_at"] for run in runs)

    await until(idle)
    subjects = await person.subjects()
    status = (await person.get(f"overlaps/{group['id']}"))["status"]
    acceptance_point(measured=f"{status}, {len(subjects)} copies", bound="expired, 3 copies")
    assert (status, subjects) == ("expired", ["Alone", "Call", "Workshop"])


async def test_changes_after_archiving_are_followed(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Renamed, moved within and across windows, recategorised, vanished: one copy each, the record stays."""
    names = ("Renamed", "Later", "Next week", "Recategorised", "Vanished", "Same")
    events = [meeting(name, at(9, day)) for day, name in enumerate(names)]
    person = await Person.join(stack, "changed", events)
    archived = await person.configure()
    await person.archive(archived)
    await person.edit(await person.event("Renamed"), subject="New name")
    later, next_week = meeting("Later", at(16, 1)), meeting("Next week", at(9, 8))
    await person.edit(await person.event("Later"), start=later["start"], end=later["end"])
    await person.edit(await person.event("Next week"), start=next_week["start"], end=next_week["end"])
    await person.edit(await person.event("Recategorised"), categories=["Acme - billable"])
    await person.delete(await person.event("Vanished"))
    first = await person.archive(archived)
    second = await person.archive(archived, first=7)
    third = await person.archive(archived)
    copies = {copy["subject"]: copy for copy in await person.events("Archive")}
    found = await person.items(
        "appointments",
        configuration_id=archived.id,
        user_id=person.user_id,
        start=at(0).isoformat(),
        end=at(0, 14).isoformat(),
    )
    marked = [each["subject"] for each in found if each["source_deleted_at"]]
    acceptance_point(
        measured=f"{len(copies)} copies of {len(names)}, {marked} marked, then {written(third)} written",
        bound="6 copies of 6, ['Vanished'] marked, then 0 written",
    )
    assert sorted(copies) == sorted(["New name", *names[1:]])
    assert starts(copies["Later"]) == at(16, 1)
    assert starts(copies["Next week"]) == at(9, 8)
    assert copies["Recategorised"]["categories"] == ["Acme - billable"]
    assert (marked, written(third)) == (["Vanished"], 0)
    assert accounted(first)
    assert accounted(second)
    assert len(await person.events("Archive")) == len(names)


async def test_verification_puts_back_and_adopts(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Verify finds a copy edited and one deleted by hand; one is adopted, the other put back on his word."""
    events = [meeting(f"Meeting {number}", at(9, number)) for number in range(5)]
    person = await Person.join(stack, "verified", events)
    archived = await person.configure()
    await person.archive(archived)
    await person.edit(await person.event("Meeting 1", "Archive"), subject="My own words")
    await person.delete(await person.event("Meeting 3", "Archive"))
    before = await verified(person, archived)
    left = await person.subjects()
    by_kind = {finding["kind"]: finding for finding in before}
    path = f"{archived.path}/verifications/{by_kind['edited']['verification_id']}/findings"
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
    assert (started.status_code, paused["state"], standing["state"]) == (202, "paused", "paused")
    assert standing["months_done"] < 6
    assert copies_then < len(events)
    assert told == sorted(told)
    assert (done["state"], done["months_done"], done["progress"]) == ("completed", 6, 100)
    assert (len(copies), max(copies.values())) == (len(events), 1)


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
        measured=f"{run['state']} with {kept} of {len(events)}, retry wrote {again['report']['archived']}",
        bound="cancelled with some, the rest by retry, none twice",
    )
    assert run["state"] == "cancelled"
    assert 0 < kept < len(events)
    assert (again["state"], again["report"]["archived"]) == ("completed", len(events) - kept)
    assert (len(copies), max(copies.values())) == (len(events), 1)


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
    planned = {names[action]: count for action, count in plan["counts"].items()}
    done = {name: report[name] for name in OUTCOMES if report[name]}
    acceptance_point(measured=f"planned {planned}, done {done}", bound="the same, nothing written before")
    assert planned == done
    assert before == []
    assert counters["writes"] == 0
    extended = next(event for event in plan["events"] if event["subject"] == "Steering")
    assert datetime.fromisoformat(extended["archived_end"]) == at(14.5)


async def test_replace_rewrites_what_was_edited(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Replace mode rewrites edited copies in place and makes anew what is gone; nothing is doubled."""
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


async def test_categories_are_judged_and_suggested(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Issues by kind, hours by customer, and a suggestion out of his own history, applied on his word."""
    history = [meeting("Jour fixe", at(9, day), **ACME) for day in range(3)]
    events = [*history, meeting("Jour fixe", at(9, 3)), meeting("Odd", at(11), categories=["Acme billable"])]
    person = await Person.join(stack, "categories", events)
    archived = await person.configure()
    await person.archive(archived)
    own = await person.own_api()
    report = (await own.request("GET", "categories/validation", **week())).json()["totals"]
    hours = (await own.request("GET", "categories/statistics", **week())).json()["lines"]
    asked = [event async for event in own.items("categories/suggestions", **week())]
    open_one = next(event for event in asked if event["subject"] == "Jour fixe")
    suggested = open_one["suggestions"][0]["category"]
    choice = {"appointment_id": open_one["appointment_id"], "category": suggested}
    (applied,) = (await own.request("POST", "categories/suggestions/apply", {"choices": [choice]})).json()[
        "items"
    ]
    await person.archive(archived)
    after = (await own.request("GET", "categories/statistics", **week())).json()["lines"]
    acceptance_point(
        measured=f"{hours[0]['hours']} h, {suggested} {applied['outcome']}, then {after[0]['hours']} h",
        bound="3.0 h, Acme - billable applied, then 4.0 h",
    )
    assert (report["valid"], report["personal"], report["invalid"]) == (3, 1, 1)
    assert (hours[0]["customer"], hours[0]["hours"]) == ("Acme", 3.0)
    assert (suggested, applied["outcome"], after[0]["hours"]) == ("Acme - billable", "applied", 4.0)


def overlapping() -> list[dict[str, Any]]:
    """Two billable events that overlap, none more important than the other, and one beside them."""
    return [
        meeting("Workshop", at(9), 120, **ACME),
        meeting("Call", at(10), 30, **ACME),
        meeting("Alone", at(18), **ACME),
    ]


def accounted(report: dict[str, Any]) -> bool:
    """Whether each source event is in exactly one outcome."""
    return bool(sum(report[name] for name in OUTCOMES) == report["source"])


def written(report: dict[str, Any]) -> int:
    """How many copies a run wrote."""
    return int(report["archived"]) + int(report["updated"])


def months_before(first: date, number: int) -> date:
    """The first day of the month so many before that of ``first``."""
    for _ in range(number):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def week() -> dict[str, Any]:
    """The first week as a query."""
    return {"start": at(0).isoformat(), "end": at(0, 7).isoformat()}


async def verified(person: Person, archived: Archived) -> list[dict[str, Any]]:
    """What a verification of the first week finds."""
    window = {"window_start": at(0).isoformat(), "window_end": at(0, 7).isoformat()}
    url = await person.post(f"{archived.path}/verifications", window)
    done = await person.over(url)
    assert done["state"] == "completed", done
    return await person.items(f"verifications/{done['id']}/findings")


async def local_calendar(person: Person, name: str) -> str:
    """Id of a calendar of our own."""
    calendars = await person.items(f"users/{person.user_id}/calendars", store="local")
    return next(str(each["local_calendar_id"]) for each in calendars if each["name"] == name)
