"""The rules of the archive engine: each point through the running system, as a customer sees it."""

from collections import Counter

import pytest

from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.support.person import (
    ACME,
    ACME_NAME,
    Json,
    Person,
    accounted,
    at,
    ends,
    meeting,
    overlapping,
    starts,
    until,
    week,
    written,
)
from tests.support.postgres import administrator

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    kept = next(member["source_key"] for member in members if member["subject"] == "Workshop")
    resolution = {"action": "keep", "kept": [kept]}
    resolved = (await own.request("POST", f"overlaps/{group['id']}/resolution", resolution)).json()
    run = await person.over(f"archive-runs/{resolved['run_id']}")
    after = await person.subjects()
    acceptance_point(
        measured=f"{waiting['flagged']} flagged, {len(before)} then {len(after)} copies",
        bound="2 flagged, 1 then 2 copies",
    )
    assert (waiting["flagged"], before) == (2, ["Alone"])
    assert (run["status"], after) == ("completed", ["Alone", "Workshop"])
    again = await person.archive(archived)
    assert (again["unchanged"], again["left_out"], again["flagged"]) == (2, 1, 0)


async def test_people_are_told_what_needs_them(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Who has overlaps to decide is told once, reminded after a day, and reads it; nobody else does."""
    person = await Person.join(stack, "told", overlapping())
    archived = await person.configure(overlap_policy="flag")
    for _ in range(2):
        await person.archive(archived)
    own = await person.own_api()

    async def told() -> list[Json]:
        return [item async for item in own.items("notifications", kind="overlap_needs_you")]

    first = await told()
    async with administrator(stack.owner_database_url) as connection:
        statement = "UPDATE overlap_groups SET remind_at = now() - interval '1 hour' WHERE owner_id = $1"
        await connection.execute(statement, person.user_id)

    async def reminded() -> bool:
        return len(await told()) == 2

    for _ in range(2):
        await person.fire("dispatch")
    await until(reminded)
    (newest, opened) = await told()
    await own.request("POST", "notifications/read", {"until": newest["updated_at"]})
    unread = (await own.request("GET", "notifications")).json()["unread"]
    others = (await person.api.request("GET", f"notifications/{opened['id']}", accept=(404,))).status_code
    acceptance_point(
        measured=f"told {len(first)}, then {len(await told())} times, {unread} unread, others {others}",
        bound="told 1, then 2 times, 0 unread, others 404",
    )
    assert [each["id"] for each in first] == [opened["id"]]
    assert "still wait" in newest["title"]
    assert (len(await told()), unread, others) == (2, 0, 404)
    words = {"Workshop", "Call", "Alone", "Acme"}
    assert not any(word in newest["text"] + opened["text"] for word in words)


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
    await person.fire("dispatch")

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
        window_start=at(0).isoformat(),
        window_end=at(0, 14).isoformat(),
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


async def test_series_change_after_archiving(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A series renamed, an occurrence moved, a single event made a series: each slot keeps its one copy."""
    daily = {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "numbered", "startDate": f"{at(0):%Y-%m-%d}", "numberOfOccurrences": 5},
    }
    grows = meeting("Grows", at(14), 15, iCalUId="grows@example.com")
    person = await Person.join(stack, "series", [meeting("Standup", at(9), 15, recurrence=daily), grows])
    archived = await person.configure()
    await person.archive(archived)
    before = {copy["id"] for copy in await person.events("Archive")}
    occurrence = next(event for event in await person.events() if starts(event) == at(9, 2))
    moved = meeting("", at(11, 2), 30)
    await person.edit(occurrence, start=moved["start"], end=moved["end"])
    await person.edit({"id": occurrence["seriesMasterId"]}, subject="Daily")
    await person.delete(await person.event("Grows"))
    await person.add(grows | {"recurrence": daily})
    report = await person.archive(archived)
    copies = await person.events("Archive")
    kept = len(before & {copy["id"] for copy in copies})
    again = written(await person.archive(archived))
    acceptance_point(
        measured=f"{kept} of {len(before)} copies kept, {len(copies)} in all, then {again} written",
        bound="6 of 6 copies kept, 10 in all, then 0 written",
    )
    assert (len(before), kept, len(copies), again) == (6, 6, 10, 0)
    assert accounted(report)
    subjects = Counter(copy["subject"] for copy in copies)
    assert subjects == {"Daily": 5, "Grows": 5}
    assert at(11, 2) in {starts(copy) for copy in copies}


async def test_meetings_keep_their_one_copy(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Series moved, split, shifted; a meeting entered again; one gone beside its extension: one copy each."""

    def series(subject: str, hour: float, count: int, first: int = 0) -> Json:
        span = {"type": "numbered", "startDate": f"{at(0, first):%Y-%m-%d}", "numberOfOccurrences": count}
        pattern = {"type": "daily", "interval": 1}
        return meeting(subject, at(hour, first), 15, recurrence={"pattern": pattern, "range": span})

    person = await Person.join(
        stack,
        "identity",
        [
            *(series("Moved", 6, 5), series("Split", 7, 5), series("Shifted", 8, 3)),
            *(meeting("Again", at(10), **ACME), meeting("Gone", at(12)), meeting("Extended", at(13), 30)),
        ],
    )
    archived = await person.configure()
    await person.archive(archived)
    before = {copy["id"]: (starts(copy), ends(copy)) for copy in await person.events("Archive")}
    masters = {event["subject"]: event["seriesMasterId"] for event in await person.events()}
    later = meeting("", at(7), 15)
    await person.edit({"id": masters["Moved"]}, start=later["start"], end=later["end"])
    await person.edit({"id": masters["Split"]}, recurrence=series("Split", 7, 2)["recurrence"])
    await person.add(series("Split", 7, 3, first=2))
    next_day = meeting("", at(8, 1), 15)
    await person.edit({"id": masters["Shifted"]}, start=next_day["start"], end=next_day["end"])
    await person.delete(await person.event("Again"))
    await person.add(meeting("Again", at(10)))
    await person.delete(await person.event("Gone"))
    report = await person.archive(archived)
    copies = await person.events("Archive")
    after = {copy["id"]: (starts(copy), ends(copy)) for copy in copies}
    again = written(await person.archive(archived))
    kept = sum(after.get(copy_id) == times for copy_id, times in before.items())
    acceptance_point(
        measured=f"{kept} of {len(before)} copies as they were, {len(copies)} in all, then {again} written",
        bound="15 of 15 copies as they were, 15 in all, then 0 written",
    )
    assert (len(before), kept, len(copies), again) == (15, 15, 15, 0)
    assert accounted(report)
    (entered_again,) = [copy for copy in copies if copy["subject"] == "Again"]
    assert entered_again["categories"] == [ACME_NAME]


async def test_changed_series_is_asked_about_once_and_taken(
    stack: Stack, acceptance_point: AcceptancePoint
) -> None:
    """A series moved by a day: its owner is asked once and takes it; each meeting counts once."""
    pattern = {"type": "daily", "interval": 1}
    span = {"type": "numbered", "startDate": f"{at(0):%Y-%m-%d}", "numberOfOccurrences": 3}
    recurrence = {"pattern": pattern, "range": span}
    person = await Person.join(stack, "asked", [meeting("Standup", at(9), 30, recurrence=recurrence, **ACME)])
    archived = await person.configure()
    await person.archive(archived)
    own = await person.own_api()
    later = meeting("", at(10, 1), 30)
    series = (await person.events())[0]["seriesMasterId"]
    await person.edit({"id": series}, start=later["start"], end=later["end"])
    for _ in range(2):
        await person.archive(archived)
    (asked,) = [item async for item in own.items("action-items", status="open")]
    item = (await own.request("GET", f"action-items/{asked['id']}")).json()
    shown = [[each["start"][:13] for each in item[side]] for side in ("archived", "new")]
    kept = sorted(starts(copy) for copy in await person.events("Archive"))
    answered = await own.request("POST", f"action-items/{asked['id']}/answer", {"answer": "take_series"})
    await person.over(f"archive-runs/{answered.json()['run_id']}")
    counting = sorted(starts(copy) for copy in await person.events("Archive") if copy["showAs"] != "free")
    again = written(await person.archive(archived))
    hours = (await own.request("GET", "categories/statistics", **week())).json()["total"]
    acceptance_point(
        measured=f"asked {asked['kind']} once, kept {len(kept)}, then {len(counting)} count, {again} written",
        bound="asked series_reset once, kept 3, then 3 count, 0 written",
    )
    assert (asked["kind"], asked["default"]) == ("series_reset", "keep_archived")
    assert shown == [
        [f"{at(9, day):%Y-%m-%dT%H}" for day in (0, 1, 2)],
        [f"{at(10, day):%Y-%m-%dT%H}" for day in (1, 2, 3)],
    ]
    assert kept == [at(9, day) for day in (0, 1, 2)]
    assert (counting, again) == ([at(10, day) for day in (1, 2, 3)], 0)
    assert hours["hours"] == 1.5


async def test_owner_edits_what_is_archived(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Its owner edits an archived event: record and copy say so, the source does not, no run undoes it."""
    person = await Person.join(stack, "edits", [meeting("Typo", at(9)), meeting("Other", at(12))])
    archived = await person.configure()
    await person.archive(archived)
    own = await person.own_api()
    (found,) = [item async for item in own.items("appointments", text="Typo", **week())]
    path = f"appointments/{found['id']}"
    stale = await own.request("PATCH", path, {"subject": "Late"}, if_match='"99"', accept=(412,))
    version = (await own.request("GET", path)).headers["ETag"]
    asked = await own.request("PATCH", path, {"subject": "Topic", **ACME}, if_match=version)
    run = await person.over(asked.headers["Location"])
    after = await person.archive(archived)
    by_category = [item["subject"] async for item in own.items("appointments", category=ACME_NAME, **week())]
    copies, source = await person.subjects(), await person.subjects("Calendar")
    acceptance_point(
        measured=f"{copies}, source {source}, then {written(after)} written, stale {stale.status_code}",
        bound="['Other', 'Topic'], source ['Other', 'Typo'], then 0 written, stale 412",
    )
    assert run["status"] == "completed"
    assert (copies, source, written(after)) == (["Other", "Topic"], ["Other", "Typo"], 0)
    assert (by_category, stale.status_code) == (["Topic"], 412)


async def test_privacy_automation(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Personal events and travel become private in copy and record, not in the source; others see times."""
    events = [meeting("Dentist", at(9)), meeting("Flight", at(12), **ACME), meeting("Review", at(15), **ACME)]
    person = await Person.join(stack, "private", events)
    archived = await person.configure(privacy_automation=True, out_of_office=True)
    await person.archive(archived)
    copies = {copy["subject"]: copy["sensitivity"] for copy in await person.events("Archive")}
    shown = {copy["showAs"] for copy in await person.events("Archive")}
    source = {event["sensitivity"] for event in await person.events()}
    seen = await person.items("appointments", configuration_id=archived.id, user_id=person.user_id, **week())
    subjects = [each["subject"] for each in seen]
    acceptance_point(
        measured=f"{copies}, source {source}, an Admin sees {subjects}",
        bound="the first two private, source normal, an Admin sees Private, Private, Review",
    )
    assert copies == {"Dentist": "private", "Flight": "private", "Review": "normal"}
    assert (source, shown) == ({"normal"}, {"oof"})
    assert subjects == ["Private", "Private", "Review"]


async def test_categories_are_judged_and_suggested(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Issues by kind, hours by customer, and a suggestion from history, applied on the owner's word."""
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
