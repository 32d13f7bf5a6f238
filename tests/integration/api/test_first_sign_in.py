"""Who becomes a user by signing in: nobody, the invited, or everybody of the tenant."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from infra.local.graph_simulator.loading.mailboxes import Loader
from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.system import Invitation
from shared.database.models.users import User
from tests.integration.api.caller import TENANT, Caller, problem
from tests.support.factories import Factory


@pytest.fixture
def admin(api: Caller) -> str:
    return api.token("Admin", oid="aaaaaaaa-0000-4000-8000-000000000001")


@pytest.fixture
def grace(api: Caller) -> UUID:
    return api.mailbox("grace@example.com")


async def policy(api: Caller, admin: str, value: str | None) -> None:
    changed = await api(
        "PATCH", "v1/system/settings", {"first_sign_in": value}, token=admin, headers={"if-match": "*"}
    )
    assert changed.status == 200, changed.json


async def me(api: Caller, oid: UUID, *roles: str, **wish: Any) -> Any:
    return await api("GET", "v1/me", token=api.token(*roles, oid=str(oid), **wish))


class TestOff:
    async def test_a_stranger_is_told_so(self, api: Caller, grace: UUID, database: Database) -> None:
        problem(await me(api, grace), 403, "not_provisioned")
        async with database.session() as session:
            assert (await session.scalars(select(User))).all() == []

    async def test_users_see_themselves_and_their_defaults(
        self, api: Caller, grace: UUID, admin: str
    ) -> None:
        made = await api("POST", "v1/users", {"address": "grace@example.com"}, token=admin)
        found = (await me(api, grace)).json
        assert found["kind"] == "person"
        assert found["roles"] == ["User"]
        assert found["user"] == made.json
        assert found["defaults"] == {"time_zone": "UTC", "nightly_at": "02:00", "lookback_days": 7}
        await api(
            "PATCH", f"v1/users/{made.json['id']}", {"active": False}, token=admin, headers={"if-match": "*"}
        )
        problem(await me(api, grace), 403, "user_deactivated")

    async def test_admins_auditors_and_applications_need_be_no_users(self, api: Caller) -> None:
        for roles, more in ((["Admin"], {}), (["Auditor"], {}), (["User"], {"app_only": True})):
            found = await me(api, uuid4(), *roles, **more)
            assert (found.status, found.json["user"], found.json["roles"]) == (200, None, roles)
        assert found.json["kind"] == "application"


class TestAutomatic:
    async def test_many_first_calls_at_once_make_one_user(
        self, api: Caller, grace: UUID, admin: str, database: Database
    ) -> None:
        await policy(api, admin, "automatic")
        answers = await asyncio.gather(*(me(api, grace) for _ in range(8)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.json["user"]["id"] for answer in answers}) == 1
        assert answers[0].json["user"]["address"] == "grace@example.com"
        async with database.session() as session:
            created = select(AuditEntry).where(AuditEntry.action == "user.created")
            entries = (await session.scalars(created)).all()
        assert [entry.actor for entry in entries] == [f"user:{grace}"]
        assert entries[0].changes["after"]["first_sign_in"] == "automatic"

    async def test_the_directory_decides_not_the_tokens_claims(
        self, api: Caller, admin: str, database: Database
    ) -> None:
        await policy(api, admin, "automatic")
        nobody = await me(api, uuid4(), upn="ada@example.com")
        # On behalf of one who is not there: the token service says so before Graph is asked.
        assert nobody.status in (401, 403)
        loader = Loader(api.simulator.state, api.simulator.settings)
        guest = loader.load_mailbox({"address": "eve_elsewhere.example#EXT#@example.com"})["oid"]
        problem(await me(api, UUID(guest)), 403, "not_provisioned")
        async with database.session() as session:
            assert (await session.scalars(select(User))).all() == []

    async def test_an_address_of_another_user_is_not_taken_over(
        self, api: Caller, grace: UUID, admin: str, database: Database
    ) -> None:
        await policy(api, admin, "automatic")
        async with database.session() as session:
            await Factory(session).user(tenant_id=TENANT, address="grace@example.com")
        problem(await me(api, grace), 409, "address_taken")

    async def test_who_only_audits_or_administers_is_not_made_a_user(
        self, api: Caller, grace: UUID, admin: str
    ) -> None:
        await policy(api, admin, "automatic")
        assert (await me(api, grace, "Auditor")).json["user"] is None
        assert (await me(api, grace, "Admin", "User")).json["user"]["address"] == "grace@example.com"

    async def test_it_is_the_tenants_own_policy(self, api: Caller, grace: UUID, admin: str) -> None:
        await policy(api, admin, "automatic")
        tenant = str(uuid4())
        await api("POST", "v1/tenants", {"id": tenant, "name": "Contoso"}, token=admin)
        problem(await me(api, grace, tenant=tenant), 403, "not_provisioned")
        await policy(api, admin, None)
        problem(await me(api, grace), 403, "not_provisioned")


class TestInvitation:
    async def test_only_the_invited_person_gets_access_and_once(
        self, api: Caller, grace: UUID, admin: str
    ) -> None:
        await policy(api, admin, "invitation")
        problem(await me(api, grace), 403, "not_provisioned")
        invited = await api("POST", "v1/invitations", {"address": "Grace@Example.com"}, token=admin)
        assert invited.status == 201
        # A token that claims the invited address does not help who is somebody else.
        eve = api.mailbox("eve@example.com")
        problem(await me(api, eve, upn="grace@example.com", name="Grace"), 403, "not_provisioned")
        answers = await asyncio.gather(*(me(api, grace) for _ in range(4)))
        assert {answer.json["user"]["id"] for answer in answers} == {answers[0].json["user"]["id"]}
        path = f"v1/invitations/{invited.json['id']}"
        found = (await api("GET", path, token=admin)).json
        assert (found["status"], found["user_id"]) == ("accepted", answers[0].json["user"]["id"])
        problem(await api("POST", f"{path}/revoke", token=admin), 409, "already_accepted")

    async def test_what_was_taken_back_or_ran_out_lets_nobody_in(
        self, api: Caller, grace: UUID, admin: str, database: Database
    ) -> None:
        await policy(api, admin, "invitation")
        address = {"address": "grace@example.com"}
        first = (await api("POST", "v1/invitations", address, token=admin)).json
        problem(await api("POST", "v1/invitations", address, token=admin), 409, "already_exists")
        for _ in range(2):
            revoked = await api("POST", f"v1/invitations/{first['id']}/revoke", token=admin)
            assert (revoked.status, revoked.json["status"]) == (200, "revoked")
        problem(await me(api, grace), 403, "not_provisioned")
        second = (await api("POST", "v1/invitations", address, token=admin)).json
        async with database.session() as session:
            row = await session.get_one(Invitation, UUID(second["id"]))
            row.expires_at = datetime.now(UTC) - timedelta(seconds=1)
        problem(await me(api, grace), 403, "not_provisioned")
        # One that ran out is in nobody's way.
        assert (await api("POST", "v1/invitations", address, token=admin)).status == 201
        listed = (await api("GET", "v1/invitations", token=admin)).json["items"]
        assert [item["status"] for item in listed] == ["revoked", "revoked", "open"]
        opened = (await api("GET", "v1/invitations", token=admin, status="open")).json["items"]
        assert len(opened) == 1
        assert (await me(api, grace)).status == 200

    async def test_an_invitation_is_the_tenants_and_its_address_stays_out_of_the_audit(
        self, api: Caller, admin: str
    ) -> None:
        made = (await api("POST", "v1/invitations", {"address": "grace@example.com"}, token=admin)).json
        await api("POST", "v1/tenants", {"id": str(uuid4()), "name": "Contoso"}, token=admin)
        tenant = (await api("GET", "v1/tenants", token=admin)).json["items"][0]["id"]
        foreign = api.token("Admin", tenant=tenant)
        problem(await api("GET", f"v1/invitations/{made['id']}", token=foreign), 404)
        problem(await api("POST", f"v1/invitations/{made['id']}/revoke", token=foreign), 404)
        audit = await api("GET", "v1/audit", token=admin, resource_type="invitation")
        assert audit.json["items"]
        assert b"grace@example.com" not in audit.body

    async def test_a_user_is_not_invited_again(self, api: Caller, grace: UUID, admin: str) -> None:
        await api("POST", "v1/users", {"address": "grace@example.com"}, token=admin)
        refused = await api("POST", "v1/invitations", {"address": "GRACE@example.com"}, token=admin)
        problem(refused, 409, "already_exists")
