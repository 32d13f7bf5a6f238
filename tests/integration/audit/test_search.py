"""Searching the audit over HTTP: who sees which rows, and how much of them (domain.md 6.3, 7.4)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.database.engine import Database
from shared.database.models.users import User
from shared.domain.identity.caller import Caller
from tests.integration.api.caller import Caller as Client
from tests.integration.api.caller import problem
from tests.integration.api.conftest import People
from tests.integration.audit.conftest import Audit
from tests.support.factories import START, TENANT, Factory

SURGEON = {
    "subject": "Surgeon",
    "location": "Clinic",
    "categories": ["Health"],
    "show_as": "oof",
    "sensitivity": "private",
    "start_at": "2026-03-02T09:00:00+00:00",
}
ACTIONS = ("user.created", "user.updated", "user.offboarded", "user.erased")
TYPES = ("user", "appointment", "overlap", "tenant")


async def found(api: Client, token: str, **query: Any) -> list[dict[str, Any]]:
    """The items that a caller finds."""
    answer = await api("GET", "v1/audit", token=token, **query)
    assert answer.status == 200, answer.json
    items: list[dict[str, Any]] = answer.json["items"]
    return items


async def test_admins_and_auditors_find_everybodys_rows_and_a_user_their_own(
    api: Client, people: People, audit: Audit
) -> None:
    await audit.write(None)
    for token in (people.admin, people.auditor):
        assert len(await found(api, token)) == 3
    own = await found(api, people.ada.token)
    assert [item["user_id"] for item in own] == [str(people.ada.id)]
    assert own == await found(api, people.ada.token, user_id=people.ada.id)
    problem(await api("GET", "v1/audit", token=people.ada.token, user_id=people.bob.id), 404, "not_found")
    problem(await api("GET", "v1/audit", token=people.ada.token, user_id=uuid4()), 404, "not_found")


async def test_a_stranger_and_an_application_that_is_a_user_find_nothing(
    api: Client, people: People, audit: Audit
) -> None:
    await audit.write(None)
    assert await found(api, api.token()) == []
    assert await found(api, api.token("User", app_only=True, oid=str(people.ada.oid))) == []


async def test_another_tenant_finds_nothing(api: Client, people: People, audit: Audit) -> None:
    await audit.write(caller=Caller.system(uuid4(), "test"))
    assert len(await found(api, people.auditor)) == 2


async def test_a_row_says_who_did_what_for_whom_from_where(api: Client, people: People) -> None:
    await api(
        "POST",
        "v1/users",
        {"address": "nobody@example.com"},
        token=people.admin,
        headers={"x-forwarded-for": "192.0.2.7"},
    )
    api.mailbox("carl@example.com")
    headers = {"x-forwarded-for": "192.0.2.7", "x-correlation-id": "my-call"}
    made = await api("POST", "v1/users", {"address": "carl@example.com"}, token=people.admin, headers=headers)
    (entry,) = await found(api, people.auditor, correlation_id="my-call")
    assert entry["actor"] == "user:aaaaaaaa-0000-4000-8000-000000000001"
    assert (entry["action"], entry["outcome"], entry["source_ip"]) == ("user.created", "success", "192.0.2.7")
    assert entry["resource_id"] == entry["user_id"] == made.json["id"]


async def test_where_an_admin_sat_is_no_business_of_the_user(
    api: Client, people: People, audit: Audit
) -> None:
    from shared import telemetry

    with telemetry.bind(ip="192.0.2.9"):
        await audit.write(people.ada.id, action="a")
        await audit.write(people.ada.id, action="b", caller=Caller.user(TENANT, people.ada.oid))
    shown = {item["action"]: item["source_ip"] for item in await found(api, people.ada.token)}
    assert (shown["a"], shown["b"]) == (None, "192.0.2.9")


async def test_another_persons_private_event_shows_its_times_only(
    api: Client, people: People, audit: Audit
) -> None:
    changes = {"before": SURGEON | {"sensitivity": "normal"}, "after": SURGEON}
    await audit.write(people.ada.id, changes, action="appointment.updated")
    for token in (people.admin, people.auditor):
        answer = await api("GET", "v1/audit", token=token, action="appointment.updated")
        (entry,) = answer.json["items"]
        assert entry["changes"] == [{"field": "sensitivity", "before": "normal", "after": "private"}]
        exported = await api("GET", "v1/audit/export", token=token, action="appointment.updated")
        assert not [w for w in (b"Surgeon", b"Clinic", b"Health") if w in answer.body + exported.body]
    for token in (people.ada.token, api.person(people.ada.oid, "Admin")):
        (entry,) = await found(api, token, action="appointment.updated")
        assert entry["changes"] == [{"field": "sensitivity", "before": "normal", "after": "private"}]


async def test_every_filter_narrows(api: Client, people: People, audit: Audit) -> None:
    async with audit.database.session() as session:
        make = Factory(session)
        for hour in range(4):
            await make.audit_entry(
                occurred_at=START + timedelta(hours=hour),
                on_behalf_of=(people.ada.id, people.bob.id)[hour % 2],
                actor=f"system:{hour}",
                action=ACTIONS[hour],
                resource_type=TYPES[hour],
                resource_id=f"id{hour}",
                correlation_id=f"c{hour}",
                outcome=("success", "failure")[hour % 2],
            )
    range_ = {"window_start": "2026-03-02T00:00:00Z", "window_end": "2026-03-03T00:00:00Z"}
    for query, hours in (
        ({}, [3, 2, 1, 0]),
        ({"user_id": people.bob.id}, [3, 1]),
        ({"actor": "system:2"}, [2]),
        ({"action": ACTIONS[1]}, [1]),
        ({"resource_type": TYPES[3]}, [3]),
        ({"resource_id": "id0"}, [0]),
        ({"correlation_id": "c2"}, [2]),
        ({"outcome": "failure"}, [3, 1]),
        ({"window_start": "2026-03-02T10:00:00Z", "window_end": "2026-03-02T12:00:00Z"}, [2, 1]),
        ({"outcome": "failure", "action": ACTIONS[0]}, []),
    ):
        items = await found(api, people.auditor, **{**range_, **query})
        assert [item["action"] for item in items] == [ACTIONS[hour] for hour in hours], query


async def test_pages_go_from_the_newest_to_the_oldest(api: Client, people: People, audit: Audit) -> None:
    await audit.write(rows=7)
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = (await api("GET", "v1/audit", token=people.auditor, limit=2, **cursor)).json
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    everything = await found(api, people.auditor)
    assert seen == [item["id"] for item in everything]
    assert len(set(seen)) == 9
    instants = [item["occurred_at"] for item in everything]
    assert instants == sorted(instants, reverse=True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"window_start": "2026-03-02T10:00:00Z", "window_end": "2026-03-02T10:00:00Z"}, "window_end"),
        ({"window_start": "yesterday"}, "window_start"),
        ({"user_id": "ada"}, "user_id"),
        ({"outcome": "maybe"}, "outcome"),
        ({"action": "user.eaten"}, "action"),
        ({"resource_type": "users"}, "resource_type"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": "201"}, "limit"),
        ({"actor": "a\x00b"}, "actor"),
        ({"subject": "x"}, "subject"),
    ],
)
async def test_a_wrong_filter_is_named(
    api: Client, people: People, query: dict[str, Any], field: str
) -> None:
    answer = await api("GET", "v1/audit", token=people.auditor, **query)
    problem(answer, 422)
    assert answer.fields == [field]


async def test_no_token_no_audit(api: Client) -> None:
    for path in ("v1/audit", "v1/audit/export", "v1/audit/verification"):
        problem(await api("GET", path), 401)


async def test_who_changed_an_appointment_is_one_request(
    api: Client, people: People, audit: Audit, database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        event, other = await make.archived_event(configuration), await make.archived_event(configuration)
        appointment, beside = await make.appointment(event), await make.appointment(other)
        run = await make.run(configuration)
        write = await make.operation(run, archived_event_id=event.id)
        elsewhere = await make.operation(run, archived_event_id=other.id)
    edit = {
        "before": {"subject": "Budget", "start_at": "x"},
        "after": {"subject": "Numbers", "start_at": "x"},
    }
    for kind, row, action, changes in (
        ("archive_run", run.id, "archive_run.batch", {"operations": {"done": [str(write.id)]}}),
        ("archive_run", run.id, "archive_run.batch", {"operations": {"done": [str(elsewhere.id)]}}),
        ("archive_operation", write.id, "appointment.updated", edit),
        ("archived_event", event.id, "archived_event.edited_by_owner", edit),
        ("appointment", appointment.id, "category.applied", {}),
        ("appointment", beside.id, "category.applied", {}),
    ):
        of_row: dict[str, Any] = {"action": action, "resource_type": kind, "resource_id": str(row)}
        await audit.write(people.ada.id, changes, **of_row)
    told = await found(api, people.ada.token, appointment_id=appointment.id)
    assert [each["action"] for each in told] == [
        "category.applied",
        "archived_event.edited_by_owner",
        "appointment.updated",
        "archive_run.batch",
    ]
    assert {each["appointment_id"] for each in told} == {str(appointment.id)}
    assert told[1]["changes"] == [{"field": "subject", "before": "Budget", "after": "Numbers"}]
    assert told[3]["details"] == {"operations": {"done": [str(write.id)]}}
    everything = await found(api, people.admin, resource_id=event.id)
    assert [each["appointment_id"] for each in everything] == [str(appointment.id)]
    hidden = await api("GET", "v1/audit", token=people.bob.token, appointment_id=appointment.id)
    problem(hidden, 404, "not_found")
    problem(await api("GET", "v1/audit", token=people.admin, appointment_id=uuid4()), 404, "not_found")


async def test_every_action_is_listed_with_its_meaning(api: Client, people: People) -> None:
    listed = (await api("GET", "v1/audit/actions", token=people.ada.token)).json
    meanings = {each["action"]: each["meaning"] for each in listed["items"]}
    assert list(meanings) == sorted(meanings)
    assert meanings["user.offboarded"] == "A user left."
    assert "appointment" in listed["resource_types"]
