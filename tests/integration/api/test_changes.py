"""Changes of what is there: the version they are meant for, what they do, who may make them."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import PATH, create

UPDATES = [
    ("PATCH", "v1/users/{id}", {"active": False}),
    ("PATCH", f"{PATH}/{{id}}", {"name": "Other"}),
    ("DELETE", f"{PATH}/{{id}}", None),
]


@pytest.fixture
async def configuration(api: Caller, people: People) -> Any:
    return (await create(api, people.ada)).json


async def change(
    api: Caller, method: str, path: str, body: Any, token: str, tag: str | None = '"1"', **headers: str
) -> Response:
    sent = headers | ({} if tag is None else {"if-match": tag})
    return await api(method, path, body, token=token, headers=sent)


async def audited(database: Database, action: str) -> list[AuditEntry]:
    async with database.session() as session:
        statement = select(AuditEntry).where(AuditEntry.action == action)
        return list((await session.execute(statement)).scalars())


class TestVersions:
    @pytest.mark.parametrize(("method", "path", "body"), UPDATES)
    async def test_a_change_without_a_version_is_428(
        self, stranger: Caller, method: str, path: str, body: Any
    ) -> None:
        path = path.replace("{id}", str(uuid4()))
        response = await change(stranger, method, path, body, stranger.token("Admin"), None)
        problem(response, 428, "precondition_required")

    @pytest.mark.parametrize("tag", ["", "  ", "1", '"1', "W/", '"1" "2"', '"1";', "'1'"])
    async def test_a_malformed_version_is_400(self, stranger: Caller, tag: str) -> None:
        path = f"{PATH}/{uuid4()}"
        response = await change(stranger, "PATCH", path, {"name": "x"}, stranger.token(), tag)
        problem(response, 400, "if_match_invalid")

    @pytest.mark.parametrize("tag", ['"2"', 'W/"1"', '"one"', '"2", "3"', '""'])
    async def test_another_version_is_412(
        self, api: Caller, people: People, configuration: Any, tag: str
    ) -> None:
        path = f"{PATH}/{configuration['id']}"
        response = await change(api, "PATCH", path, {"name": "Other"}, people.ada.token, tag)
        problem(response, 412, "precondition_failed")
        assert (await api("GET", path, token=people.ada.token)).json == configuration

    @pytest.mark.parametrize("tag", ['"1"', "*", '"7", "1"', 'W/"9" , "1"'])
    async def test_its_version_is_accepted(
        self, api: Caller, people: People, configuration: Any, tag: str
    ) -> None:
        path = f"{PATH}/{configuration['id']}"
        response = await change(api, "PATCH", path, {"name": "Other"}, people.ada.token, tag)
        assert response.status == 200, response.json
        assert (response.headers["etag"], response.json["version"]) == ('"2"', 2)
        assert (await api("GET", path, token=people.ada.token)).headers["etag"] == '"2"'

    async def test_of_two_changes_of_one_version_one_wins(
        self, api: Caller, people: People, configuration: Any
    ) -> None:
        path = f"{PATH}/{configuration['id']}"
        answers = await asyncio.gather(
            *(change(api, "PATCH", path, {"name": f"Name {n}"}, people.ada.token) for n in range(5))
        )
        assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]
        winner = next(answer for answer in answers if answer.status == 200)
        assert (await api("GET", path, token=people.ada.token)).json == winner.json

    async def test_a_repeated_change_is_answered_as_before(
        self, api: Caller, people: People, configuration: Any
    ) -> None:
        path, key = f"{PATH}/{configuration['id']}", {"idempotency-key": "k"}
        first = await change(api, "DELETE", path, None, people.ada.token, **key)
        again = await change(api, "DELETE", path, None, people.ada.token, **key)
        assert (first.status, again.status) == (204, 204)
        assert again.headers["idempotency-replayed"] == "true"
        problem(await change(api, "DELETE", path, None, people.ada.token), 404)


class TestUsers:
    async def test_an_admin_changes_a_name(self, api: Caller, people: People, database: Database) -> None:
        path = f"v1/users/{people.ada.id}"
        response = await change(api, "PATCH", path, {"display_name": "Ada L."}, people.admin)
        assert (response.status, response.json["display_name"]) == (200, "Ada L.")
        (entry,) = await audited(database, "user.updated")
        assert entry.on_behalf_of == people.ada.id
        assert "Ada L." not in str(entry.changes)

    async def test_who_is_deactivated_is_refused_at_once(self, api: Caller, people: People) -> None:
        path = f"v1/users/{people.ada.id}"
        assert (await change(api, "PATCH", path, {"active": False}, people.admin)).status == 200
        problem(await api("GET", path, token=people.ada.token), 403, "user_deactivated")
        assert (await change(api, "PATCH", path, {"active": True}, people.admin, '"2"')).status == 200
        assert (await api("GET", path, token=people.ada.token)).status == 200

    async def test_a_change_that_changes_nothing_leaves_no_trace(
        self, api: Caller, people: People, database: Database
    ) -> None:
        response = await change(api, "PATCH", f"v1/users/{people.ada.id}", {"active": True}, people.admin)
        assert (response.status, response.headers["etag"]) == (200, '"1"')
        assert await audited(database, "user.updated") == []

    async def test_admins_do_not_lock_themselves_out(self, api: Caller, people: People) -> None:
        token = api.person(people.ada.oid, "Admin")
        response = await change(api, "PATCH", f"v1/users/{people.ada.id}", {"active": False}, token)
        problem(response, 409, "own_account")

    @pytest.mark.parametrize("body", [{}, {"active": None}, {"display_name": None}, {"address": "x@y.z"}])
    async def test_a_change_of_nothing_or_of_what_may_not_change_is_422(
        self, stranger: Caller, body: Any
    ) -> None:
        path = f"v1/users/{uuid4()}"
        response = await change(stranger, "PATCH", path, body, stranger.token("Admin"))
        problem(response, 422, "validation_failed")

    async def test_only_an_admin_of_the_tenant_may(self, api: Caller, people: People) -> None:
        path = f"v1/users/{people.ada.id}"
        for token in (people.ada.token, people.auditor):
            problem(await change(api, "PATCH", path, {"active": False}, token), 403, "role_missing")
        unknown = f"v1/users/{uuid4()}"
        problem(await change(api, "PATCH", unknown, {"active": False}, people.admin), 404)
