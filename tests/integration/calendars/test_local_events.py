"""Events of calendars of our own over HTTP: kept by their owner, validated, private ones hidden (6.3)."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People
from tests.integration.calendars.test_api import make

MARCH: dict[str, Any] = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}
ANY = {"if-match": "*"}
EVENT = {
    "subject": "Review",
    "start": "2026-03-02T09:00:00Z",
    "end": "2026-03-02T10:00:00Z",
    "start_zone": "W. Europe Standard Time",
    "body": "line one\nline two",
    "location": "Room 4",
    "categories": ["Acme - billable"],
    "show_as": "tentative",
    "importance": "high",
}


@pytest.fixture
async def events(api: Caller, people: People) -> str:
    """The path of the events of a local calendar of Ada's."""
    made = await make(api, people.ada, "local", "Diary")
    return f"v1/local-calendars/{made.json['local_calendar_id']}/events"


async def add(api: Caller, people: People, events: str, token: str | None = None, **fields: Any) -> Response:
    return await api("POST", events, EVENT | fields, token=token or people.ada.token)


async def test_an_event_is_kept_as_it_was_given(api: Caller, people: People, events: str) -> None:
    made = await add(api, people, events)
    assert made.status == 201, made.json
    assert {name: made.json[name] for name in EVENT} == EVENT
    assert made.json["end_zone"] == "W. Europe Standard Time"
    assert (made.json["sensitivity"], made.json["is_archived_copy"]) == ("normal", False)
    path = made.headers["location"].removeprefix("/api/")
    found = await api("GET", path, token=people.ada.token)
    assert (found.json, found.headers["etag"]) == (made.json, '"1"')


async def test_an_event_is_changed_and_deleted_at_the_version_that_was_read(
    api: Caller, people: People, events: str, database: Database
) -> None:
    made = await add(api, people, events)
    path, token = f"{events}/{made.json['id']}", people.ada.token
    change = {"subject": "Retrospective", "end": "2026-03-02T11:00:00Z"}
    problem(await api("PATCH", path, change, token=token), 428)
    changed = await api("PATCH", path, change, token=token, headers={"if-match": '"1"'})
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    assert {name: changed.json[name] for name in EVENT} == EVENT | change
    problem(await api("PATCH", path, change, token=token, headers={"if-match": '"1"'}), 412)
    same = await api("PATCH", path, change, token=token, headers=ANY)
    assert same.headers["etag"] == '"2"'
    problem(await api("DELETE", path, token=token, headers={"if-match": '"1"'}), 412)
    assert (await api("DELETE", path, token=token, headers={"if-match": '"2"'})).status == 204
    problem(await api("GET", path, token=token), 404)
    async with database.session() as session:
        statement = select(AuditEntry).where(AuditEntry.resource_id == made.json["id"])
        rows = (await session.execute(statement.order_by(AuditEntry.occurred_at))).scalars().all()
    assert [row.action for row in rows] == [
        f"local_event.{what}" for what in ("created", "updated", "deleted")
    ]
    assert {row.on_behalf_of for row in rows} == {people.ada.id}
    stored = str([row.changes for row in rows])
    assert not [word for word in ("Review", "Retrospective", "Room 4", "Acme", "line one") if word in stored]
    assert rows[1].changes["before"]["end_at"] == "2026-03-02T10:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"end": "2026-03-02T08:59:59Z"}, ["end"]),
        ({"start_zone": "Nowhere/At all"}, ["start_zone", "end_zone"]),
        ({"end_zone": "Middle Earth"}, ["end_zone"]),
        ({"is_all_day": True}, ["start", "end"]),
        ({"is_all_day": True, "start": "2026-03-02T00:00:00Z", "end": "2026-03-02T00:00:00Z"}, ["end"]),
        ({"subject": ""}, ["subject"]),
        ({"subject": "x" * 256}, ["subject"]),
        ({"subject": "two\nlines"}, ["subject"]),
        ({"body": "NUL \u0000"}, ["body"]),
        ({"show_as": "unknown"}, ["show_as"]),
        ({"categories": ["x"] * 26}, ["categories"]),
        ({"attendees": []}, ["attendees"]),
    ],
)
async def test_what_cannot_be_is_refused_by_field(
    api: Caller, people: People, events: str, fields: dict[str, Any], wrong: list[str]
) -> None:
    refused = await add(api, people, events, **fields)
    problem(refused, 422, "validation_failed")
    assert refused.fields == wrong


async def test_a_change_is_judged_with_what_stays(api: Caller, people: People, events: str) -> None:
    path = f"{events}/{(await add(api, people, events)).json['id']}"
    late = await api("PATCH", path, {"start": "2026-03-02T12:00:00Z"}, token=people.ada.token, headers=ANY)
    assert late.fields == ["end"]
    whole_day = await api("PATCH", path, {"is_all_day": True}, token=people.ada.token, headers=ANY)
    assert whole_day.fields == ["start", "end"]
    dates = {"is_all_day": True, "start": "2026-03-02T00:00:00Z", "end": "2026-03-04T00:00:00Z"}
    assert (await api("PATCH", path, dates, token=people.ada.token, headers=ANY)).status == 200


async def test_a_range_is_half_open_and_paged_in_order(api: Caller, people: People, events: str) -> None:
    for number, (start, end) in enumerate(
        [
            ("2026-02-28T23:00:00Z", "2026-03-01T00:00:00Z"),
            ("2026-02-28T23:30:00Z", "2026-03-01T00:30:00Z"),
            ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("2026-03-15T08:00:00Z", "2026-03-15T09:00:00Z"),
            ("2026-03-15T08:00:00Z", "2026-03-15T09:00:00Z"),
            ("2026-04-01T00:00:00Z", "2026-04-01T01:00:00Z"),
        ]
    ):
        assert (await add(api, people, events, subject=f"Event {number}", start=start, end=end)).status == 201
    found: list[str] = []
    query: dict[str, Any] = MARCH | {"limit": 2}
    while True:
        page = (await api("GET", events, token=people.ada.token, **query)).json
        found += [item["subject"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found[:2] == ["Event 1", "Event 2"]
    assert sorted(found[2:]) == ["Event 3", "Event 4"]
    too_long = await api("GET", events, token=people.ada.token, **MARCH | {"end": "2028-01-01T00:00:00Z"})
    assert too_long.fields == ["end"]


async def test_another_persons_private_event_shows_its_times_and_is_nobodys_to_change(
    api: Caller, people: People, events: str
) -> None:
    made = await add(api, people, events, subject="Doctor", sensitivity="private")
    path = f"{events}/{made.json['id']}"
    for token in (people.admin, people.auditor):
        (item,) = (await api("GET", events, token=token, **MARCH)).json["items"]
        shown = (await api("GET", path, token=token)).json
        assert (item["subject"], shown["subject"]) == ("Private", "Private")
        assert (item["start"], shown["body"], shown["location"]) == (EVENT["start"], "", "")
        assert shown["categories"] == []
    # If somebody else made it public, they could read it.
    change = {"sensitivity": "normal"}
    problem(await api("PATCH", path, change, token=people.admin, headers=ANY), 403, "private_event")
    problem(await api("DELETE", path, token=people.admin, headers=ANY), 403, "private_event")
    own = await api("GET", path, token=people.ada.token)
    assert own.json["subject"] == "Doctor"


async def test_nobody_reaches_anothers_calendar_nor_an_event_through_another_calendar(
    api: Caller, people: People, events: str
) -> None:
    made = await add(api, people, events)
    path = f"{events}/{made.json['id']}"
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"subject": "Mine"}),
        ("DELETE", path, None),
        ("POST", events, EVENT),
        ("GET", events.removesuffix("/events"), None),
    ):
        problem(await api(method, where, body, token=people.bob.token, headers=ANY), 404)
    problem(await api("GET", events, token=people.bob.token, **MARCH), 404)
    other = (await make(api, people.bob, "local", "Diary")).json["local_calendar_id"]
    through = f"v1/local-calendars/{other}/events/{made.json['id']}"
    problem(await api("GET", through, token=people.bob.token), 404)
    problem(await api("DELETE", through, token=people.bob.token, headers=ANY), 404)
    problem(await api("GET", f"v1/local-calendars/{uuid4()}/events", token=people.ada.token, **MARCH), 404)
    assert (await api("GET", path, token=people.ada.token)).json == made.json
