"""Who may do what: every operation against every kind of caller (design.md, Who may).

``REQUESTS`` holds one request for each operation that succeeds for whoever may make it. What the answers to
the others must be follows from the declared roles and ownership alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.database.engine import Database
from shared.database.models import ArchiveConfiguration, ArchiveRun, User
from shared.domain.archive_run import RunState
from shared.domain.caller import Role
from shared.triggers.http import archive_runs
from shared.triggers.http.registry import OPERATIONS, Operation, Ownership
from tests.integration.api.caller import AUDIENCE, Caller, Response, problem
from tests.integration.api.conftest import People, Person
from tests.integration.api.test_archive_configurations import create, wish
from tests.support.factories import Factory

GUARDED = sorted(name for name, operation in OPERATIONS.items() if operation.roles is not None)
CHANGES = [name for name in GUARDED if OPERATIONS[name].changes]
OTHER_TENANT = "33333333-3333-4333-8333-333333333333"
SAMPLE_ID = "6f1e5c0e-1111-4111-8111-111111111111"
WRONG_TOKENS: dict[str, dict[str, Any]] = {
    "expired": {"lifetime_seconds": -3600},
    "wrong audience": {"audience": "api://another"},
    "wrong issuer": {"overrides": {"iss": "https://login.example/x/v2.0"}},
    "wrong tenant": {"overrides": {"tid": OTHER_TENANT}},
    "Admin of another tenant": {"tenant": OTHER_TENANT},
    "alg none": {"alg": "none"},
    "HS256 signed with the public key": {"alg": "HS256"},
    "unknown kid": {"kid": "nobody-published-this"},
    "ID token carrying roles": {"overrides": {"scp": None, "azp": None, "nonce": "n"}},
}


@dataclass
class World:
    """Ada's things, which she, her tenant's Admins and Auditors may reach, and nobody else."""

    ada: Person
    configuration: UUID
    run: UUID
    appointment: UUID
    secrets: list[str] = field(default_factory=list)


@dataclass
class Wish:
    """A request for an operation; ``{id}`` of its route becomes ``id``."""

    id: UUID | None = None
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)


RANGE = {"start": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00Z"}
REQUESTS: dict[str, Callable[[World], Wish]] = {
    "list_users": lambda w: Wish(),
    "create_user": lambda w: Wish(body={"address": "new@example.com"}),
    "get_user": lambda w: Wish(w.ada.id),
    "update_user": lambda w: Wish(w.ada.id, {"display_name": "Augusta"}),
    "list_appointments": lambda w: Wish(query=RANGE | {"user_id": str(w.ada.id)}),
    "get_appointment": lambda w: Wish(w.appointment),
    "list_archive_configurations": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "create_archive_configuration": lambda w: Wish(body=wish(w.ada, name="Second")),
    "get_archive_configuration": lambda w: Wish(w.configuration),
    "update_archive_configuration": lambda w: Wish(w.configuration, {"name": "Renamed"}),
    "delete_archive_configuration": lambda w: Wish(w.configuration),
    "activate_archive_configuration": lambda w: Wish(w.configuration),
    "deactivate_archive_configuration": lambda w: Wish(w.configuration),
    "make_archive_configuration_default": lambda w: Wish(w.configuration),
    "start_archive_run": lambda w: Wish(w.configuration),
    "list_archive_runs": lambda w: Wish(w.configuration),
    "get_archive_run": lambda w: Wish(w.run),
    "cancel_archive_run": lambda w: Wish(w.run),
    "retry_archive_run": lambda w: Wish(w.run),
    "list_archive_operations": lambda w: Wish(w.run),
    "search_audit": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "export_audit": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "verify_audit": lambda w: Wish(),
}


@pytest.fixture
async def world(api: Caller, people: People, database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    async def start(client: object, run_id: UUID) -> None:
        return

    api.durable = object()
    monkeypatch.setattr(archive_runs, "start_orchestration", start)
    made = (await create(api, people.ada)).json
    async with database.session() as session:
        make = Factory(session)
        configuration = await session.get_one(ArchiveConfiguration, UUID(made["id"]))
        run = await make.run(configuration, state=RunState.CANCELLED, cancel_requested=True)
        run.finished_at = datetime.now(UTC)
        operation = await make.operation(run)
        appointment = await make.appointment(await make.archived_event(configuration), subject="Ada's secret")
    secrets = [
        made["id"],
        str(run.id),
        str(operation.id),
        str(appointment.id),
        "Ada's secret",
        people.ada.address,
    ]
    return World(people.ada, configuration.id, run.id, appointment.id, secrets)


async def ask(api: Caller, name: str, world: World, token: str | None, **headers: str) -> Response:
    operation, request = OPERATIONS[name], REQUESTS[name](world)
    path = operation.route.replace("{id}", str(request.id))
    sent = {header.replace("_", "-"): value for header, value in headers.items()}
    if operation.if_match.name == "REQUIRED":
        sent["if-match"] = "*"
    return await api(operation.method, path, request.body, token=token, headers=sent, **request.query)


async def state_of(database: Database, world: World) -> list[Any]:
    """What a refused request must leave as it is."""
    async with database.session() as session:
        rows: list[Any] = [
            await session.get_one(User, world.ada.id),
            await session.get_one(ArchiveConfiguration, world.configuration),
            await session.get_one(ArchiveRun, world.run),
        ]
        return [{c.key: getattr(row, c.key) for c in type(row).__mapper__.column_attrs} for row in rows]


def test_every_operation_has_its_request() -> None:
    assert sorted(REQUESTS) == GUARDED


@pytest.mark.parametrize("name", GUARDED)
async def test_no_token_and_wrong_tokens_are_401(stranger: Caller, name: str) -> None:
    operation = OPERATIONS[name]
    path = operation.route.replace("{id}", SAMPLE_ID)
    problem(await stranger(operation.method, path), 401, "unauthenticated")
    for kind, claims in WRONG_TOKENS.items():
        token = stranger.simulator.identity.mint({"audience": AUDIENCE, "roles": ["Admin"], **claims})
        for headers in ({"authorization": f"Bearer {token}"}, {"x-ms-token-aad-access-token": token}):
            response = await stranger(operation.method, path, headers=headers)
            assert response.status == 401, kind
            problem(response, 401, "invalid_token")


@pytest.mark.parametrize("name", CHANGES)
async def test_a_cookie_from_elsewhere_changes_nothing(stranger: Caller, name: str) -> None:
    operation = OPERATIONS[name]
    path = operation.route.replace("{id}", SAMPLE_ID)
    cookie = {"x-ms-token-aad-access-token": stranger.token("Admin")}
    asked: dict[str, str]
    for asked in (
        {},
        {"sec-fetch-site": "same-origin"},
        {"x-requested-by": "page", "sec-fetch-site": "cross-site"},
        {"x-requested-by": "page", "origin": "https://evil.example"},
    ):
        response = await stranger(operation.method, path, b"{}", headers=cookie | asked)
        problem(response, 403, "cross_site_request")


@pytest.mark.parametrize("name", GUARDED)
async def test_who_may_not_is_told_nothing_and_changes_nothing(
    api: Caller, people: People, database: Database, world: World, name: str
) -> None:
    operation = OPERATIONS[name]
    roles = operation.roles or frozenset()
    before = await state_of(database, world)
    app_user = api.token("User", app_only=True)
    nobody = api.person(uuid4())
    for token in (people.bob.token, app_user, nobody):
        response = await ask(api, name, world, token)
        if Role.USER not in roles:
            problem(response, 403, "role_missing")
        elif response.status == 200:
            assert not REQUESTS[name](world).id, "another's resource is answered as if it were not there"
            assert not [secret for secret in world.secrets if secret in response.body.decode()]
        else:
            assert response.status == 404, response.json
            assert str(world.ada.oid) not in response.body.decode()
            assert "Ada's secret" not in response.body.decode()
    if Role.AUDITOR not in roles:
        for token in (people.auditor, api.token("Auditor", app_only=True)):
            problem(await ask(api, name, world, token), 403, "role_missing")
    assert await state_of(database, world) == before


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("kind", ["owner", "Admin", "Admin app", "Auditor", "Auditor app"])
async def test_who_may_is_served(api: Caller, people: People, world: World, name: str, kind: str) -> None:
    operation = OPERATIONS[name]
    needed = {"owner": Role.USER}.get(kind) or Role(kind.split()[0])
    if needed not in (operation.roles or ()):
        pytest.skip("not one of the operation's roles")
    api.mailbox("new@example.com")
    token = {
        "owner": people.ada.token,
        "Admin": people.admin,
        "Admin app": api.token("Admin", app_only=True),
        "Auditor": people.auditor,
        "Auditor app": api.token("Auditor", app_only=True),
    }[kind]
    if name == "cancel_archive_run":
        assert (await ask(api, name, world, token)).json["state"] == "cancelled"
    response = await ask(api, name, world, token)
    assert response.status == operation.status, response.body


async def test_a_user_does_not_name_anothers_mailbox(api: Caller, people: People) -> None:
    for field_name in ("source", "archive"):
        body = wish(people.ada, **{field_name: f"msgraph://{people.bob.address}/calendars/Team"})
        response = await api("POST", "v1/archive-configurations", body, token=people.ada.token)
        problem(response, 404)
        assert people.bob.address not in response.body.decode()


def test_what_needs_no_token_reaches_no_data() -> None:
    public = [operation for operation in OPERATIONS.values() if operation.roles is None]
    assert {operation.ownership for operation in public} == {Ownership.PUBLIC}
    assert {_first(operation) for operation in public} == {"health", "docs", "openapi.json", "{*path}"}


def _first(operation: Operation) -> str:
    return operation.route.partition("/")[0]
