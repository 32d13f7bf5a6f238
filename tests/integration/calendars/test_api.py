"""Calendars over HTTP: both stores listed, made, resolved; references of every kind (domain.md 1)."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from infra.local.graph_simulator.loading.mailboxes import Loader
from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People, Person
from tests.integration.api.test_archive_configurations import wish


def calendars_of(person: Person) -> str:
    return f"v1/users/{person.id}/calendars"


async def make(api: Caller, person: Person, store: str, name: str, **more: Any) -> Response:
    body = {"store": store, "name": name}
    return await api("POST", calendars_of(person), body, token=more.pop("token", person.token), **more)


async def listed(api: Caller, person: Person, **query: Any) -> list[dict[str, Any]]:
    """Every page of the list."""
    found: list[dict[str, Any]] = []
    while True:
        response = await api("GET", calendars_of(person), token=person.token, **query)
        assert response.status == 200, response.json
        found += response.json["items"]
        if response.json["next"] is None:
            return found
        query["cursor"] = response.json["next"]


async def resolve(api: Caller, person: Person, reference: str, token: str | None = None) -> Response:
    body = {"reference": reference}
    return await api("POST", f"{calendars_of(person)}/resolution", body, token=token or person.token)


async def test_both_stores_are_listed_and_each_reference_leads_back_to_its_calendar(
    api: Caller, people: People
) -> None:
    for name in ("Diary", "50 % off / maybe?"):
        assert (await make(api, people.ada, "local", name)).status == 201
    assert (await make(api, people.bob, "local", "Bob's own")).status == 201
    whole = await listed(api, people.ada)
    assert [(each["store"], each["name"]) for each in whole] == [
        ("outlook", "Calendar"),
        ("outlook", "Archive"),
        ("outlook", "Team"),
        ("local", "50 % off / maybe?"),
        ("local", "Diary"),
    ]
    assert whole[0]["is_default"]
    assert whole[0]["reference"] == f"msgraph://{people.ada.address}/calendar"
    assert whole[4]["reference"] == f"local://{people.ada.address}/calendars/Diary"
    assert [each["local_calendar_id"] is not None for each in whole] == [False] * 3 + [True] * 2
    assert await listed(api, people.ada, limit=2) == whole
    assert await listed(api, people.ada, store="local", limit=1) == whole[3:]
    for each in whole:
        assert (await resolve(api, people.ada, each["reference"])).json == each


async def test_a_list_says_which_configuration_uses_a_calendar(api: Caller, people: People) -> None:
    local = f"local://{people.ada.address}/calendars/Record"
    await make(api, people.ada, "local", "Record")
    made = await api(
        "POST", "v1/archive-configurations", wish(people.ada, archive=local), token=people.ada.token
    )
    assert made.status == 201, made.json
    uses = {each["name"]: each["used_by"] for each in await listed(api, people.ada)}
    expected = {"configuration_id": made.json["id"], "name": "Nightly"}
    assert uses["Calendar"] == [expected | {"role": "source"}]
    assert uses["Record"] == [expected | {"role": "archive"}]
    assert uses["Archive"] == uses["Team"] == []


@pytest.mark.parametrize("store", ["outlook", "local"])
async def test_a_calendar_is_made_once(api: Caller, people: People, store: str, database: Database) -> None:
    key = {"idempotency-key": "one"}
    made = await make(api, people.ada, store, "Project Ü", headers=key)
    assert made.status == 201, made.json
    again = await make(api, people.ada, store, "Project Ü", headers=key)
    assert (again.status, again.json) == (201, made.json)
    problem(await make(api, people.ada, store, "project ü"), 409, "already_exists")
    # Each store has names of its own, and so has each person.
    other = {"outlook": "local", "local": "outlook"}[store]
    assert (await make(api, people.ada, other, "Project Ü")).status == 201
    assert (await make(api, people.bob, store, "Project Ü")).status == 201
    names = [each["name"] for each in await listed(api, people.ada, store=store)]
    assert names.count("Project Ü") == 1
    if store == "local":
        location = made.headers["location"].removeprefix("/api/")
        assert (await api("GET", location, token=people.ada.token)).json["name"] == "Project Ü"
    async with database.session() as session:
        rows = await session.execute(select(AuditEntry).where(AuditEntry.action.like("%calendar.created")))
        entries = [row for row in rows.scalars() if row.on_behalf_of == people.ada.id]
    assert len(entries) == 2
    assert "Project" not in str([entry.changes for entry in entries])


async def test_an_admin_makes_calendars_for_anyone_and_a_deactivated_person_gets_none(
    api: Caller, people: People
) -> None:
    assert (await make(api, people.ada, "local", "From above", token=people.admin)).status == 201
    assert [each["name"] for each in await listed(api, people.ada, store="local")] == ["From above"]
    problem(await make(api, people.ada, "local", "Mine", token=people.bob.token), 404)
    change = {"active": False}
    headers = {"if-match": "*"}
    await api("PATCH", f"v1/users/{people.bob.id}", change, token=people.admin, headers=headers)
    response = await make(api, people.bob, "local", "Late", token=people.admin)
    problem(response, 409, "user_deactivated")


async def test_a_reference_is_matched_by_id_then_name_then_slug(api: Caller, people: People) -> None:
    ids = {}
    for name in ("Client work", "client-work (old)"):
        ids[name] = (await make(api, people.ada, "local", name)).json["id"]
    home = f"local://{people.ada.address}/calendars/"
    for text, name in (
        (quote(ids["Client work"], safe=""), "Client work"),
        ("CLIENT%20WORK", "Client work"),
        ("client-work", "Client work"),
        ("client-work-old", "client-work (old)"),
    ):
        found = await resolve(api, people.ada, home + text)
        assert (found.status, found.json["name"]) == (200, name), text
    # The mailbox may be named by its object id as well.
    by_oid = await resolve(api, people.ada, f"local://{people.ada.oid}/calendars/client-work")
    assert by_oid.json["id"] == ids["Client work"]


async def test_what_does_not_match_lists_what_there_is(api: Caller, people: People) -> None:
    await make(api, people.ada, "local", "Diary")
    for reference, there in (
        (f"local://{people.ada.address}/calendars/Dairy", "Diary"),
        (f"msgraph://{people.ada.address}/calendars/Diary", "Archive"),
    ):
        answer = await resolve(api, people.ada, reference)
        document = problem(answer, 422, "validation_failed")
        assert document["errors"][0]["code"] == "calendar_not_resolved"
        assert f"“{there}”" in document["errors"][0]["message"]
    for name in ("A b", "a-B"):
        await make(api, people.ada, "local", name)
    document = problem(await resolve(api, people.ada, f"local://{people.ada.address}/calendars/a--b"), 422)
    assert "no calendar" in document["errors"][0]["message"]
    wrong = await resolve(api, people.ada, "https://example.com/calendar")
    assert problem(wrong, 422)["errors"][0]["code"] == "calendar_reference"


@pytest.mark.parametrize("store", ["outlook", "local"])
async def test_only_an_admin_names_anothers_mailbox_and_that_is_audited(
    api: Caller, people: People, database: Database, store: str
) -> None:
    await make(api, people.bob, "local", "Team")
    scheme = {"outlook": "msgraph", "local": "local"}[store]
    reference = f"{scheme}://{people.bob.address}/calendars/Team"
    refused = await resolve(api, people.ada, reference)
    problem(refused, 404)
    absent = await resolve(api, people.ada, f"{scheme}://nobody@example.com/calendars/Team")
    assert problem(absent, 404)["detail"] == refused.json["detail"]
    found = await resolve(api, people.ada, reference, people.admin)
    assert (found.status, found.json["mailbox_id"]) == (200, str(people.bob.oid))
    async with database.session() as session:
        statement = select(AuditEntry).where(AuditEntry.action == "calendar.resolved")
        (entry,) = (await session.execute(statement)).scalars().all()
    assert (entry.on_behalf_of, entry.resource_id) == (people.ada.id, found.json["id"])
    assert people.bob.address not in str(entry.changes)


async def test_calendars_of_rooms_and_groups_are_refused_and_shared_ones_are_not(
    api: Caller, people: People
) -> None:
    loader = Loader(api.simulator.state, api.simulator.settings)
    for address, purpose in (("room1@example.com", "room"), ("office@example.com", "shared")):
        calendars = [{"name": "Calendar", "is_default": True}]
        loader.load_mailbox({"address": address, "purpose": purpose, "calendars": calendars})
    for address, code in (("room1@example.com", "no_person"), ("group@example.com", "mailbox_unknown")):
        answer = await resolve(api, people.ada, f"msgraph://{address}/calendar", people.admin)
        error = problem(answer, 422)["errors"][0]
        assert error["code"] == code
        assert ("room" in error["message"]) == (address == "room1@example.com")
    assert "group" in error["message"]
    shared = await resolve(api, people.ada, "msgraph://office@example.com/calendar", people.admin)
    assert shared.status == 200, shared.json
    body = wish(people.ada, source="msgraph://room1@example.com/calendar")
    assert (await api("POST", "v1/archive-configurations", body, token=people.admin)).fields == ["source"]


async def test_without_the_permission_for_mailbox_settings_references_are_resolved_still(
    api: Caller, people: People
) -> None:
    api.simulator.faults.add(
        {"kind": "status", "status": 403, "code": "ErrorAccessDenied", "path_regex": "mailboxSettings"}
    )
    found = await resolve(api, people.ada, f"msgraph://{people.ada.address}/calendar")
    assert (found.status, found.json["name"]) == (200, "Calendar")
    assert api.simulator.faults.rules[0].struck == 1


async def test_a_local_calendar_has_one_role_only_and_stays_while_it_is_used(
    api: Caller, people: People
) -> None:
    record = f"local://{people.ada.address}/calendars/Record"
    body = wish(people.ada, archive=record, create_archive_calendar=True)
    first = await api("POST", "v1/archive-configurations", body, token=people.ada.token)
    assert first.status == 201, first.json
    (calendar,) = await listed(api, people.ada, store="local")
    assert calendar["id"] == first.json["archive_calendar_id"]
    again = wish(people.ada, name="Again", source=record)
    problem(await api("POST", "v1/archive-configurations", again, token=people.ada.token), 422)
    path, headers = f"v1/local-calendars/{calendar['local_calendar_id']}", {"if-match": "*"}
    problem(await api("DELETE", path, token=people.ada.token, headers=headers), 409, "in_use")
    renamed = await api("PATCH", path, {"name": "Past"}, token=people.ada.token, headers=headers)
    assert (renamed.status, renamed.json["version"]) == (200, 2)
    kept = await api("GET", f"v1/archive-configurations/{first.json['id']}", token=people.ada.token)
    assert kept.json["archive_calendar_id"] == calendar["id"]
    own = f"v1/archive-configurations/{first.json['id']}"
    assert (await api("DELETE", own, token=people.ada.token, headers=headers)).status == 204
    problem(await api("DELETE", path, token=people.ada.token), 428)
    stale = await api("DELETE", path, token=people.ada.token, headers={"if-match": '"1"'})
    problem(stale, 412)
    assert (await api("DELETE", path, token=people.ada.token, headers={"if-match": '"2"'})).status == 204
    problem(await api("GET", path, token=people.ada.token), 404)
    assert await listed(api, people.ada, store="local") == []


async def test_no_configuration_is_saved_for_a_calendar_that_is_deleted_in_between(
    api: Caller, people: People
) -> None:
    token = people.ada.token
    for turn in range(4):
        made = await make(api, people.ada, "local", f"Record {turn}")
        path = f"v1/local-calendars/{made.json['local_calendar_id']}"
        body = wish(people.ada, name=f"Turn {turn}", archive=made.json["reference"])
        saved, deleted = await asyncio.gather(
            api("POST", "v1/archive-configurations", body, token=token),
            api("DELETE", path, token=token, headers={"if-match": "*"}),
        )
        assert (saved.status, deleted.status) in ((201, 409), (422, 204))


async def test_a_local_name_is_taken_once(api: Caller, people: People) -> None:
    for name in ("One", "Two"):
        made = await make(api, people.ada, "local", name)
    path, headers = made.headers["location"].removeprefix("/api/"), {"if-match": "*"}
    problem(await api("PATCH", path, {"name": "ONE"}, token=people.ada.token, headers=headers), 409)
    # Its own name in other letters is no other calendar's.
    same = await api("PATCH", path, {"name": "TWO"}, token=people.ada.token, headers=headers)
    assert (same.status, same.json["name"]) == (200, "TWO")


async def test_graphs_refusal_is_a_502_and_local_calendars_are_still_there(
    api: Caller, people: People
) -> None:
    await make(api, people.ada, "local", "Diary")
    api.simulator.faults.add(
        {"kind": "status", "status": 403, "code": "ErrorAccessDenied", "path_regex": "/calendars"}
    )
    problem(await api("GET", calendars_of(people.ada), token=people.ada.token), 502, "graph_refused")
    local = await listed(api, people.ada, store="local")
    assert [each["name"] for each in local] == ["Diary"]
    mailbox = api.simulator.state.mailboxes[str(people.bob.oid)]
    mailbox.enabled = False
    problem(await api("GET", calendars_of(people.bob), token=people.bob.token), 404, "mailbox_not_found")


async def test_graph_that_passes_nothing_is_a_503_that_says_when_to_come_back(
    api: Caller, people: People
) -> None:
    api.simulator.faults.add(
        {"kind": "status", "status": 429, "retry_after": 120, "times": None, "path_regex": "/calendars"}
    )
    response = await api("GET", calendars_of(people.ada), token=people.ada.token)
    problem(response, 503, "graph_unavailable")
    assert int(response.headers["retry-after"]) > 60
