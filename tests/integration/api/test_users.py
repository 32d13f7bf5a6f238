"""Users over HTTP: added by an Admin, checked against the directory, seen by those who may."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.users import User
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People


async def test_a_person_is_added_with_what_the_directory_knows(api: Caller, database: Database) -> None:
    oid = api.mailbox("ada@example.com")
    headers = {"x-correlation-id": "adding-ada", "x-forwarded-for": "10.0.0.1, 203.0.113.9:52100"}
    admin = api.token("Admin")
    response = await api("POST", "v1/users", {"address": "ada@example.com"}, token=admin, headers=headers)
    assert response.status == 201
    user = response.json
    assert user["object_id"] == str(oid)
    assert user["address"] == "ada@example.com"
    assert user["active"] is True
    assert response.headers["location"] == f"/api/v1/users/{user['id']}"
    assert response.headers["etag"] == '"1"'
    read = await api("GET", f"v1/users/{user['id']}", token=admin)
    assert read.json == user
    async with database.session() as session:
        entry = (await session.execute(select(AuditEntry))).scalar_one()
    assert (entry.action, entry.resource_id, entry.outcome) == ("user.created", user["id"], "success")
    assert (entry.correlation_id, entry.source_ip) == ("adding-ada", "203.0.113.9")
    assert entry.actor.startswith("user:")
    assert "ada" not in str(entry.changes)


async def test_an_unknown_mailbox_is_422_and_nothing_is_written(api: Caller, database: Database) -> None:
    response = await api("POST", "v1/users", {"address": "nobody@example.com"}, token=api.token("Admin"))
    problem(response, 422, "validation_failed")
    assert response.fields == ["address"]
    async with database.session() as session:
        assert (await session.execute(select(User))).first() is None
        assert (await session.execute(select(AuditEntry))).first() is None


async def test_another_persons_object_id_is_422(api: Caller) -> None:
    api.mailbox("ada@example.com")
    body = {"address": "ada@example.com", "object_id": str(uuid4())}
    response = await api("POST", "v1/users", body, token=api.token("Admin"))
    problem(response, 422, "validation_failed")
    assert response.fields == ["object_id"]


async def test_the_same_person_twice_is_409_also_at_once(api: Caller) -> None:
    api.mailbox("ada@example.com")
    admin = api.token("Admin")
    responses = await asyncio.gather(
        *(api("POST", "v1/users", {"address": "ada@example.com"}, token=admin) for _ in range(5))
    )
    assert sorted(response.status for response in responses) == [201, 409, 409, 409, 409]
    told = problem(max(responses, key=lambda response: response.status), 409, "already_exists")
    (made,) = [response.json["id"] for response in responses if response.status == 201]
    assert told["resource_id"] in (made, None)
    again = problem(await api("POST", "v1/users", {"address": "ada@example.com"}, token=admin), 409)
    assert again["resource_id"] == made


async def test_a_mailbox_that_graph_refuses_is_422(api: Caller) -> None:
    api.mailbox("ada@example.com")
    admin = api.token("Admin")
    api.simulator.faults.add(
        {"kind": "status", "status": 403, "code": "ErrorAccessDenied", "match": {"path_regex": "^/users/"}}
    )
    response = await api("POST", "v1/users", {"address": "ada@example.com"}, token=admin)
    problem(response, 422)
    assert response.fields == ["address"]
    assert "ErrorAccessDenied" in response.json["detail"]


class TestWhoSeesWhom:
    async def test_users_see_only_themselves(self, api: Caller, people: People) -> None:
        ada, bob = people.ada, people.bob
        assert (await api("GET", f"v1/users/{ada.id}", token=ada.token)).json["address"] == ada.address
        problem(await api("GET", f"v1/users/{bob.id}", token=ada.token), 404, "not_found")
        problem(await api("GET", f"v1/users/{uuid4()}", token=ada.token), 404, "not_found")
        listed = await api("GET", "v1/users", token=ada.token)
        assert [user["id"] for user in listed.json["items"]] == [str(ada.id)]
        assert listed.json["next"] is None
        filtered = await api("GET", "v1/users", token=ada.token, address=bob.address)
        assert filtered.json["items"] == []

    async def test_admins_and_auditors_see_the_tenant(self, api: Caller, people: People) -> None:
        for token in (people.admin, people.auditor):
            assert (await api("GET", f"v1/users/{people.bob.id}", token=token)).status == 200
            listed = await api("GET", "v1/users", token=token)
            assert [user["address"] for user in listed.json["items"]] == [
                "ada@example.com",
                "bob@example.com",
            ]
            found = await api("GET", "v1/users", token=token, address="BOB@example.com")
            assert [user["id"] for user in found.json["items"]] == [str(people.bob.id)]

    async def test_an_application_that_is_a_user_owns_nothing(self, api: Caller, people: People) -> None:
        token = api.token("User", app_only=True, oid=str(people.ada.oid))
        assert (await api("GET", "v1/users", token=token)).json == {"items": [], "next": None}
        problem(await api("GET", f"v1/users/{people.ada.id}", token=token), 404)

    async def test_another_tenants_user_does_not_exist(
        self, api: Caller, people: People, database: Database
    ) -> None:
        other = User(tenant_id=uuid4(), object_id=uuid4(), address="eve@other.example", display_name="Eve")
        async with database.session() as session:
            session.add(other)
        problem(await api("GET", f"v1/users/{other.id}", token=people.admin), 404)
        listed = await api("GET", "v1/users", token=people.admin)
        assert str(other.id) not in {user["id"] for user in listed.json["items"]}

    async def test_deactivation_takes_effect_at_once(
        self, api: Caller, people: People, database: Database
    ) -> None:
        async with database.session() as session:
            (await session.get_one(User, people.ada.id)).active = False
        for path in ("v1/users", "v1/archive-configurations", f"v1/users/{people.ada.id}"):
            problem(await api("GET", path, token=people.ada.token), 403, "user_deactivated")
        problem(
            await api(
                "POST", "v1/users", {"address": "c@example.com"}, token=api.person(people.ada.oid, "Admin")
            ),
            403,
            "user_deactivated",
        )


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_pages_list_everyone_once_in_a_stable_order(
    api: Caller, database: Database, limit: int
) -> None:
    admin = api.token("Admin")
    tenant = api.app.foundations.settings.tenant_id
    async with database.session() as session:
        session.add_all(
            User(tenant_id=tenant, object_id=uuid4(), address=f"p{n}@example.com", display_name=f"P {n}")
            for n in range(7)
        )
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = (await api("GET", "v1/users", token=admin, limit=limit, **cursor)).json
        assert len(page["items"]) <= limit
        seen += [user["address"] for user in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(seen) == [f"p{n}@example.com" for n in range(7)]
