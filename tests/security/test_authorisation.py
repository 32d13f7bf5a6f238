"""Who may do what: every operation against every kind of caller (design.md, Who may).

``REQUESTS`` holds one request for each operation that succeeds for every permitted caller. The answers to
other callers follow from the declared roles and ownership alone.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.models.notifications import Notification
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.domain.identity.roles import Role
from shared.triggers.http.registry import OPERATIONS, GraphAccess, Operation, Ownership
from tests.integration.api.caller import AUDIENCE, Caller, Response, problem
from tests.integration.api.conftest import People
from tests.security.authorisation_world import REQUESTS, SAMPLE_ID, Wish, World

GUARDED = sorted(name for name, operation in OPERATIONS.items() if operation.roles is not None)
CHANGES = [name for name in GUARDED if OPERATIONS[name].changes]
FOR_THE_PERSON_READ = ("object_to_mailbox_approval", "agree_to_mailbox_approval")
#: No application decides about reading a mailbox, or reads private events.
FOR_PEOPLE = ("approve_mailbox_approval", "decide_mailbox_objection", "open_break_glass_access")
OTHER_TENANT = "33333333-3333-4333-8333-333333333333"
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


async def ask(api: Caller, name: str, wish: Wish, token: str | None, **headers: str) -> Response:
    operation = OPERATIONS[name]
    sent = {header.replace("_", "-"): value for header, value in headers.items()}
    if operation.if_match.name == "REQUIRED":
        sent["if-match"] = "*"
    path = path_of(operation, wish)
    return await api(operation.method, path, wish.body, token=token, headers=sent, **wish.query)


def path_of(operation: Operation, wish: Wish) -> str:
    """The path with ids; ``SAMPLE_ID`` where the wish names none."""
    ids = {"id": wish.id or SAMPLE_ID} | wish.ids
    texts = {name: wish.texts.get(name, "text") for name in operation.texts}
    return operation.route.format(
        **{name: ids.get(name, SAMPLE_ID) for name in operation.parameters}, **texts
    )


class _TakenBack(Exception):
    """Ends a transaction whose changes nobody is to see."""


@asynccontextmanager
async def taken_back(database: Database) -> AsyncIterator[None]:
    """What the requests of the block change is taken back, so that one world serves every cell."""
    with suppress(_TakenBack):
        async with database.unit_of_work():
            yield
            raise _TakenBack


async def state_of(database: Database, world: World) -> list[Any]:
    """What a refused request must leave as it is."""
    async with database.session() as session:
        rows: list[Any] = [
            await session.get_one(User, world.ada.id),
            await session.get_one(ArchiveConfiguration, world.configuration),
            await session.get_one(ArchiveRun, world.run),
            await session.get_one(LocalCalendar, world.things["local_calendar"]),
            await session.get_one(LocalEvent, world.things["local_event"]),
            await session.get_one(Notification, world.things["notification"]),
        ]
        return [{c.key: getattr(row, c.key) for c in type(row).__mapper__.column_attrs} for row in rows]


def test_every_operation_has_its_request() -> None:
    assert sorted(REQUESTS) == GUARDED


async def test_no_token_and_wrong_tokens_are_401(stranger: Caller) -> None:
    mint = stranger.simulator.identity.mint
    wrong = {kind: mint({"audience": AUDIENCE, "roles": ["Admin"], **w}) for kind, w in WRONG_TOKENS.items()}
    let_in = []
    for name in GUARDED:
        operation = OPERATIONS[name]
        path = path_of(operation, Wish())
        problem(await stranger(operation.method, path), 401, "unauthenticated")
        for kind, token in wrong.items():
            for headers in ({"authorization": f"Bearer {token}"}, {"x-ms-token-aad-access-token": token}):
                response = await stranger(operation.method, path, headers=headers)
                if (response.status, response.json["code"]) != (401, "invalid_token"):
                    let_in.append((name, kind, response.status))
    assert not let_in


async def test_a_cookie_from_elsewhere_changes_nothing(stranger: Caller) -> None:
    cookie = {"x-ms-token-aad-access-token": stranger.token("Admin")}
    asked: tuple[dict[str, str], ...] = (
        {},
        {"sec-fetch-site": "same-origin"},
        {"x-requested-by": "page"},
        {"x-requested-by": "page", "sec-fetch-site": "cross-site"},
        {"x-requested-by": "page", "origin": "https://evil.example"},
    )
    let_in = []
    for name in CHANGES:
        operation = OPERATIONS[name]
        for headers in asked:
            path = path_of(operation, Wish())
            response = await stranger(operation.method, path, b"{}", headers=cookie | headers)
            if (response.status, response.json["code"]) != (403, "cross_site_request"):
                let_in.append((name, headers, response.status))
    assert not let_in


async def test_who_may_not_is_told_nothing_and_changes_nothing(
    api: Caller, people: People, database: Database, world: World
) -> None:
    tokens = {
        "User other": people.bob.token,
        "User unknown": api.person(uuid4()),
        "User app": api.token("User", app_only=True),
        "Auditor": people.auditor,
        "Auditor app": api.token("Auditor", app_only=True),
        "Admin of a further tenant": api.token("Admin", tenant=str(world.things["tenant"])),
        "Auditor of a further tenant": api.token("Auditor", tenant=str(world.things["tenant"])),
    }
    api.mailbox("new@example.com")
    before = await state_of(database, world)
    wrong: list[tuple[str, str, str]] = []
    for name in REQUESTS:
        operation = OPERATIONS[name]
        async with taken_back(database):
            for kind, token in tokens.items():
                role = Role(kind.split()[0])
                reads_all = role is Role.AUDITOR and "tenant" not in kind and role in (operation.roles or ())
                if reads_all and operation.ownership is not Ownership.ADDRESSED:
                    continue
                wish = REQUESTS[name](world)
                response = await ask(api, name, wish, token)
                fault = told_too_much(operation, kind, role, wish, response, world)
                if fault:
                    wrong.append((name, kind, f"{response.status} {fault}"))
            if await state_of(database, world) != before:
                wrong.append((name, "somebody", "changes what he may not"))
    assert not wrong


def told_too_much(
    operation: Operation, kind: str, role: Role, wish: Wish, response: Response, world: World
) -> str | None:
    """What is wrong with the answer to one who may not reach what is asked for; None if nothing is."""
    text = response.body.decode()
    if [
        secret
        for secret in (*world.secrets, str(world.ada.oid))
        if secret in text.replace(wish_text(wish), "")
    ]:
        return "tells a secret"
    expected = None
    if role not in (operation.roles or ()):
        expected = (403, "role_missing")
    elif operation.ownership is Ownership.HOME:
        expected = (403, "home_tenant_only")
    elif operation.ownership is Ownership.SELF and kind == "User unknown":
        expected = (403, "not_provisioned")
    elif wish.names_somebody and response.status != HTTPStatus.NOT_FOUND:
        # A search narrowed to one whom the caller does not know of finds nothing, as for one who is not.
        if not (response.status == HTTPStatus.OK and "user_id" in wish.query and not wish.id):
            return "is not as if it were not there"
    elif response.status >= HTTPStatus.BAD_REQUEST and response.status != HTTPStatus.NOT_FOUND:
        return text
    if expected is not None and (response.status, response.json["code"]) != expected:
        return f"is not {expected}"
    return None


def wish_text(wish: Wish) -> str:
    """The id that callers named themselves. Seeing it again reveals nothing to them."""
    return str(wish.id or SAMPLE_ID)


@pytest.mark.parametrize("kind", ["User", "Admin", "Admin app", "Auditor", "Auditor app"])
async def test_who_may_is_served(
    api: Caller, people: People, database: Database, world: World, kind: str
) -> None:
    api.mailbox("new@example.com")
    token = {
        "User": people.ada.token,
        "Admin": people.admin,
        "Admin app": api.token("Admin", app_only=True),
        "Auditor": people.auditor,
        "Auditor app": api.token("Auditor", app_only=True),
    }[kind]
    refused: list[tuple[str, str]] = []
    asked = [name for name in REQUESTS if Role(kind.split()[0]) in (OPERATIONS[name].roles or ())]
    for name in asked:
        async with taken_back(database):
            if name == "cancel_archive_run":
                assert (await ask(api, name, REQUESTS[name](world), token)).json["status"] == "cancelled"
            trips = api.simulator.counters.total.round_trips
            response = await ask(api, name, REQUESTS[name](world), token)
            reached = api.simulator.counters.total.round_trips > trips
        # A person's notifications are only for them.
        others = OPERATIONS[name].ownership is Ownership.ADDRESSED and kind != "User"
        expected = 404 if others and REQUESTS[name](world).id else OPERATIONS[name].status
        if name in FOR_THE_PERSON_READ and kind != "User":
            # Their word alone, whatever a role says.
            expected = 403
        elif name in ("name_mailbox_assistant", *FOR_PEOPLE) and kind.endswith("app"):
            expected = 404 if name == "name_mailbox_assistant" else 403
        if response.status != expected:
            refused.append((name, f"{response.status} {response.body.decode()}"))
        elif reached and OPERATIONS[name].graph is GraphAccess.NONE:
            refused.append((name, "reaches Graph and does not say so"))
    assert asked
    assert not refused


async def test_a_user_does_not_name_anothers_mailbox(
    api: Caller, people: People, database: Database, world: World
) -> None:
    """Whatever takes a calendar reference, asked in the caller's own name for another's mailbox."""
    naming = {name: wish for name in REQUESTS if _references(wish := REQUESTS[name](world))}
    assert "create_archive_configuration" in naming
    let_in = []
    for name, wish in naming.items():
        body = {key: str(people.bob.id) if key == "user_id" else value for key, value in wish.body.items()}
        query = {key: str(people.bob.id) if key == "user_id" else value for key, value in wish.query.items()}
        own = Wish(people.bob.id if wish.id == world.ada.id else wish.id, body, query, wish.ids)
        async with taken_back(database):
            response = await ask(api, name, own, people.bob.token)
        if response.status != HTTPStatus.NOT_FOUND or str(world.ada.oid) in response.body.decode():
            let_in.append((name, response.status, response.body))
    assert not let_in


def _references(wish: Wish) -> bool:
    """Whether the body holds a calendar reference."""
    return isinstance(wish.body, dict) and any("://" in str(value) for value in wish.body.values())


def test_what_needs_no_token_reaches_no_data() -> None:
    public = [operation for operation in OPERATIONS.values() if operation.roles is None]
    assert {operation.ownership for operation in public} == {Ownership.PUBLIC}
    assert {_first(operation) for operation in public} == {"health", "docs", "openapi.json", "{*path}"}


def _first(operation: Operation) -> str:
    return operation.route.partition("/")[0]
