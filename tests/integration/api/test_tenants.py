"""Further tenants: a row gives or removes access, each with its own keys, issuers and tokens for Graph."""

import base64
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.database.engine import Database
from tests.integration.api.caller import TENANT, Caller, problem
from tests.integration.api.conftest import People
from tests.support.factories import Factory

CONTOSO = UUID("7d9f3d2c-3c1f-4b52-9a52-4e3f0a5d8c11")


async def let_in(api: Caller, people: People, tenant: UUID = CONTOSO) -> Any:
    response = await api("POST", "v1/tenants", {"id": str(tenant), "name": "Contoso"}, token=people.admin)
    assert response.status == 201, response.json
    return response


class TestWhoIsLetIn:
    async def test_a_row_lets_a_tenant_in_and_takes_it_out_at_once(self, api: Caller, people: People) -> None:
        token = api.token("Admin", tenant=str(CONTOSO))
        problem(await api("GET", "v1/users", token=token), 401, "invalid_token")
        made = await let_in(api, people)
        found = await api("GET", "v1/users", token=token)
        assert (found.status, found.json["items"]) == (200, [])
        path = f"v1/tenants/{CONTOSO}"
        changed = await api(
            "PATCH",
            path,
            {"active": False},
            token=people.admin,
            headers={"if-match": made.headers["etag"]},
        )
        assert changed.json["active"] is False
        problem(await api("GET", "v1/users", token=token), 401, "invalid_token")
        # Another instance has the row in its list still; what it may not do is let anybody in.
        further = api.app.people.further_tenants
        further._known = frozenset({CONTOSO})
        further._read_at = api.app.foundations.clock.now()
        problem(await api("GET", "v1/users", token=token), 401, "invalid_token")

    @pytest.mark.parametrize("version", ["1.0", "2.0"])
    async def test_tokens_of_both_versions_fit_their_own_tenants_issuer_only(
        self, api: Caller, people: People, version: str
    ) -> None:
        await let_in(api, people)
        good = await api.app.people.tokens.validate(
            api.token("Auditor", tenant=str(CONTOSO), version=version)
        )
        assert good.tenant_id == CONTOSO
        issuer = api.simulator.identity.issuer(str(TENANT), version)
        for wrong in (
            {"tenant": str(CONTOSO), "overrides": {"iss": issuer}},
            {"tenant": str(TENANT), "overrides": {"tid": str(CONTOSO)}},
        ):
            token = api.token("Admin", version=version, **wrong)
            problem(await api("GET", "v1/users", token=token), 401, "invalid_token")

    async def test_a_crowd_of_strangers_costs_one_statement(self, api: Caller, people: People) -> None:
        asked = 0
        repository = api.app.people.further_tenants._database
        session = repository.session

        def counted(**options: Any) -> Any:
            nonlocal asked
            asked += 1
            return session(**options)

        repository.session = counted  # type: ignore[method-assign]
        try:
            for _ in range(20):
                token = api.token("Admin", tenant=str(uuid4()))
                problem(await api("GET", "v1/users", token=token), 401, "invalid_token")
        finally:
            repository.session = session  # type: ignore[method-assign]
        assert asked <= 1


class TestData:
    async def test_a_tenants_admin_sees_and_names_only_their_own(self, api: Caller, people: People) -> None:
        await let_in(api, people)
        admin = api.token("Admin", tenant=str(CONTOSO))
        problem(await api("GET", f"v1/users/{people.ada.id}", token=admin), 404)
        assert (await api("GET", "v1/users", token=admin)).json["items"] == []
        api.mailbox("carol@contoso.example")
        made = await api("POST", "v1/users", {"address": "carol@contoso.example"}, token=admin)
        assert made.status == 201, made.json
        problem(await api("GET", f"v1/users/{made.json['id']}", token=people.admin), 404)

    async def test_graph_is_asked_with_the_tenants_own_token(self, api: Caller, people: People) -> None:
        await let_in(api, people)
        used: list[tuple[str, str]] = []
        check = api.simulator.identity.caller

        def caller(authorization: str | None) -> Any:
            part = (authorization or "").split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            used.append((claims["tid"], claims["appid"]))
            return check(authorization)

        api.simulator.identity.caller = caller  # type: ignore[method-assign]
        for tenant in (CONTOSO, TENANT, CONTOSO):
            token = api.token("Admin", tenant=str(tenant))
            await api("POST", "v1/users", {"address": "nobody@example.com"}, token=token)
        assert [tid for tid, _ in used] == [str(CONTOSO), str(TENANT), str(CONTOSO)]
        # In the further tenant it is the app registration that acts, in the home tenant the identity itself.
        assert used[0][1] == "22222222-aaaa-4222-8222-222222222222"
        assert used[1][1] == api.simulator.settings.managed_identity_client_id


class TestTheList:
    async def test_the_home_tenants_admins_alone_manage_it(self, api: Caller, people: People) -> None:
        await let_in(api, people)
        admin = api.token("Admin", tenant=str(CONTOSO))
        for method, path, body in (
            ("GET", "v1/tenants", None),
            ("GET", f"v1/tenants/{CONTOSO}", None),
            ("POST", "v1/tenants", {"id": str(uuid4()), "name": "Mine"}),
            ("PATCH", f"v1/tenants/{CONTOSO}", {"name": "Mine"}),
        ):
            response = await api(method, path, body, token=admin, headers={"if-match": "*"})
            problem(response, 403, "home_tenant_only")
        listed = await api("GET", "v1/tenants", token=people.admin)
        assert [item["id"] for item in listed.json["items"]] == [str(CONTOSO)]
        assert listed.json["items"][0]["created_by"] == "user:aaaaaaaa-0000-4000-8000-000000000001"

    async def test_a_tenant_is_there_once_and_home_is_never_a_further_one(
        self, api: Caller, people: People
    ) -> None:
        await let_in(api, people)
        for tenant in (CONTOSO, TENANT):
            body = {"id": str(tenant), "name": "Again"}
            problem(await api("POST", "v1/tenants", body, token=people.admin), 409, "already_exists")
        problem(await api("GET", f"v1/tenants/{uuid4()}", token=people.admin), 404)

    async def test_pages_follow_each_other(self, api: Caller, people: People, database: Database) -> None:
        async with database.session() as session:
            made = [str((await Factory(session).tenant()).id) for _ in range(3)]
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = (await api("GET", "v1/tenants", token=people.admin, limit=2, **cursor)).json
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert sorted(seen) == sorted(made)
        assert len(seen) == 3

    async def test_changes_are_audited_with_the_version_they_were_meant_for(
        self, api: Caller, people: People
    ) -> None:
        await let_in(api, people)
        path = f"v1/tenants/{CONTOSO}"
        stale = await api("PATCH", path, {"name": "New"}, token=people.admin, headers={"if-match": '"9"'})
        problem(stale, 412)
        done = await api("PATCH", path, {"name": "New"}, token=people.admin, headers={"if-match": '"1"'})
        assert done.headers["etag"] == '"2"'
        audit = await api("GET", "v1/audit", token=people.admin, resource_type="tenant")
        changes = {entry["action"]: entry["changes"] for entry in audit.json["items"]}
        assert set(changes) == {"tenant.added", "tenant.updated"}
        assert [(each["field"], each["after"]) for each in changes["tenant.updated"]] == [
            ("tenant_name", "New")
        ]
