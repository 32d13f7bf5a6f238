"""Idempotency-Key: a change that is asked for twice happens once and is answered twice the same."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text, update

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.idempotency import IdempotencyKey
from shared.database.models.users import User
from shared.errors import Conflict, FieldError, StoreUnavailable, ValidationFailed
from shared.services.operation import idempotency
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import PATH, wish

USERS = "v1/users"


async def add(
    api: Caller, address: str, key: str = "once", token: str | None = None, **query: Any
) -> Response:
    return await api(
        "POST",
        USERS,
        {"address": address},
        token=token or api.token("Admin", oid="aaaaaaaa-0000-4000-8000-000000000001"),
        headers={"idempotency-key": key},
        **query,
    )


async def rows(database: Database) -> list[IdempotencyKey]:
    async with database.session() as session:
        return list((await session.execute(select(IdempotencyKey))).scalars())


async def users(database: Database, address: str) -> int:
    async with database.session() as session:
        statement = select(func.count()).select_from(User).where(User.address == address)
        return (await session.execute(statement)).scalar_one()


async def test_the_second_request_is_answered_as_the_first_was(api: Caller, database: Database) -> None:
    api.mailbox("eve@example.com")
    first = await add(api, "eve@example.com")
    again = await add(api, "eve@example.com")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-correlation-id"] != first.headers["x-correlation-id"]
    assert await users(database, "eve@example.com") == 1
    async with database.session() as session:
        audited = (await session.execute(select(func.count()).select_from(AuditEntry))).scalar_one()
    assert audited == 1


async def test_without_a_key_the_second_request_is_a_conflict(api: Caller) -> None:
    api.mailbox("eve@example.com")
    body, token = {"address": "eve@example.com"}, api.token("Admin")
    assert (await api("POST", USERS, body, token=token)).status == 201
    problem(await api("POST", USERS, body, token=token), 409, "already_exists")


async def test_the_key_with_another_request_is_422(api: Caller, database: Database) -> None:
    for name in ("eve", "mallory"):
        api.mailbox(f"{name}@example.com")
    assert (await add(api, "eve@example.com")).status == 201
    other = await add(api, "mallory@example.com")
    problem(other, 422, "validation_failed")
    assert other.fields == ["Idempotency-Key"]
    assert await users(database, "mallory@example.com") == 0


async def test_path_query_and_body_make_the_request() -> None:
    def digest(**change: Any) -> bytes:
        given: dict[str, Any] = {"path": "/a", "query": {"b": "1", "c": "2"}, "body": b"{}"} | change
        return idempotency.Repeatable(operation="x", key="k", **given).request_hash()

    assert digest() == digest(query={"c": "2", "b": "1"})
    others = [
        digest(path="/b"),
        digest(query={"b": "1"}),
        digest(query={"b": "1c", "c": "2"}),
        digest(body=b"{ }"),
        digest(query={}, body=b"b1c2"),
    ]
    assert len({digest(), *others}) == 6


async def test_keys_of_other_callers_and_operations_are_others(
    api: Caller, people: People, database: Database
) -> None:
    headers = {"idempotency-key": "mine"}
    ada = await api("POST", PATH, wish(people.ada), token=people.ada.token, headers=headers)
    bob = await api("POST", PATH, wish(people.bob), token=people.bob.token, headers=headers)
    assert (ada.status, bob.status) == (201, 201)
    assert ada.json["user_id"] != bob.json["user_id"]
    kept = await rows(database)
    assert {row.owner_id for row in kept} == {people.ada.id, people.bob.id}
    assert {row.caller for row in kept} == {f"user:{people.ada.oid}", f"user:{people.bob.oid}"}


async def test_a_refusal_is_kept_too(api: Caller, database: Database) -> None:
    unknown = await add(api, "late@example.com")
    problem(unknown, 422, "validation_failed")
    api.mailbox("late@example.com")
    again = await add(api, "late@example.com")
    assert (again.status, again.body) == (422, unknown.body)
    assert again.headers["content-type"] == "application/problem+json"
    assert await users(database, "late@example.com") == 0
    assert (await add(api, "late@example.com", key="another")).status == 201


@pytest.mark.parametrize(
    "failure",
    [StoreUnavailable("away", retry_after=3), RuntimeError("defect"), Conflict("in a moment", retry_after=1)],
)
async def test_what_may_pass_is_not_kept(
    api: Caller, database: Database, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    api.mailbox("eve@example.com")
    lookup = api.app.foundations.calendars.get_mailbox

    async def away(mailbox: str) -> Any:
        raise failure

    monkeypatch.setattr(api.app.foundations.calendars, "get_mailbox", away)
    assert (await add(api, "eve@example.com")).status in (409, 500, 503)
    assert await rows(database) == []
    monkeypatch.setattr(api.app.foundations.calendars, "get_mailbox", lookup)
    assert (await add(api, "eve@example.com")).status == 201


async def test_requests_that_are_refused_before_the_change_keep_nothing(
    api: Caller, database: Database
) -> None:
    token = api.token("User")
    headers = {"idempotency-key": "k"}
    problem(await api("POST", USERS, {"address": "a@example.com"}, headers=headers), 401)
    problem(await add(api, "a@example.com", token=token), 403)
    problem(await api("POST", USERS, b"{", token=api.token("Admin"), headers=headers), 400)
    assert await rows(database) == []


async def test_twins_at_the_same_time_make_one_change(api: Caller, database: Database) -> None:
    api.mailbox("eve@example.com")
    answers = await asyncio.gather(*(add(api, "eve@example.com") for _ in range(5)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 4
    assert await users(database, "eve@example.com") == 1


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in this process", "in another process"])
async def test_a_twin_that_takes_long_is_waited_for_and_then_409(
    api: Caller, database: Database, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    monkeypatch.setattr(idempotency, "PATIENCE", 0.05)
    api.mailbox("eve@example.com")
    lookup, begun, go_on = api.app.foundations.calendars.get_mailbox, asyncio.Event(), asyncio.Event()

    async def slowly(mailbox: str) -> Any:
        begun.set()
        await go_on.wait()
        return await lookup(mailbox)

    monkeypatch.setattr(api.app.foundations.calendars, "get_mailbox", slowly)
    first = asyncio.create_task(add(api, "eve@example.com"))
    await begun.wait()
    if elsewhere:
        # What another process knows of it is the row alone.
        fresh = idempotency.IdempotencyService(database, api.app.foundations.clock)
        monkeypatch.setattr(api.app.operation, "idempotency", fresh)
    twin = await add(api, "eve@example.com")
    problem(twin, 409, "request_under_way")
    assert twin.headers["retry-after"] in ("1", "2")
    go_on.set()
    assert (await first).status == 201
    assert (await add(api, "eve@example.com")).body == (await first).body


async def test_a_crowd_of_twins_leaves_connections_to_others(
    api: Caller, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.mailbox("eve@example.com")
    lookup, go_on = api.app.foundations.calendars.get_mailbox, asyncio.Event()

    async def slowly(mailbox: str) -> Any:
        await go_on.wait()
        return await lookup(mailbox)

    monkeypatch.setattr(api.app.foundations.calendars, "get_mailbox", slowly)
    crowd = [asyncio.create_task(add(api, "eve@example.com")) for _ in range(30)]
    crowd += [asyncio.create_task(add(api, "eve@example.com", key=f"other-{n}")) for n in range(9)]
    for _ in range(3):
        assert (await api("GET", USERS, token=api.token("Auditor"))).status == 200
    go_on.set()
    answers = await asyncio.gather(*crowd)
    assert {answer.status for answer in answers[:30]} <= {201, 409}
    assert await users(database, "eve@example.com") == 1


async def test_a_cancelled_change_leaves_no_row_and_no_transaction(
    api: Caller, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.mailbox("eve@example.com")
    lookup, begun = api.app.foundations.calendars.get_mailbox, asyncio.Event()

    async def never(mailbox: str) -> Any:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(api.app.foundations.calendars, "get_mailbox", never)
    first = asyncio.create_task(add(api, "eve@example.com"))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    monkeypatch.setattr(api.app.foundations.calendars, "get_mailbox", lookup)
    assert (await add(api, "eve@example.com")).status == 201
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_nothing_of_the_change_stays_if_its_answer_cannot_be_kept(
    api: Caller, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the machine died here")

    api.mailbox("eve@example.com")
    monkeypatch.setattr(api.app.operation.idempotency, "_keep", broken)
    problem(await add(api, "eve@example.com"), 500)
    assert await users(database, "eve@example.com") == 0
    assert await rows(database) == []


async def test_what_follows_a_change_happens_once_and_after_it_is_committed(
    api: Caller, people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await api("POST", PATH, wish(people.ada), token=people.ada.token)
    started: list[UUID] = []

    async def start(client: object, run_id: UUID) -> None:
        # Another connection sees the run already.
        async with database.session(apart=True) as session:
            found = await session.execute(text("SELECT id FROM archive_runs WHERE id = :id"), {"id": run_id})
            assert found.scalar_one() == run_id
        started.append(run_id)

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    for _ in range(2):
        response = await api(
            "POST",
            f"{PATH}/{made.json['id']}/runs",
            None,
            token=people.ada.token,
            headers={"idempotency-key": "k"},
        )
        assert response.status == 202, response.json
    assert started == [UUID(response.json["id"])]


async def test_a_deactivated_person_is_not_answered_again(
    api: Caller, people: People, database: Database
) -> None:
    send = {"token": people.ada.token, "headers": {"idempotency-key": "k"}}
    assert (await api("POST", PATH, wish(people.ada), **send)).status == 201  # type: ignore[arg-type]
    async with database.session() as session:
        await session.execute(update(User).where(User.id == people.ada.id).values(active=False))
    problem(await api("POST", PATH, wish(people.ada), **send), 403, "user_deactivated")  # type: ignore[arg-type]


async def test_answers_go_with_the_person(api: Caller, database: Database) -> None:
    api.mailbox("eve@example.com")
    await add(api, "eve@example.com")
    async with database.session() as session:
        await session.execute(delete(User).where(User.address == "eve@example.com"))
    assert await rows(database) == []


async def test_answers_are_forgotten_after_a_day(api: Caller, database: Database) -> None:
    async def age(by: timedelta) -> None:
        async with database.session() as session:
            await session.execute(update(IdempotencyKey).values(created_at=IdempotencyKey.created_at - by))

    api.mailbox("eve@example.com")
    assert (await add(api, "eve@example.com")).status == 201
    await age(timedelta(hours=23, minutes=59))
    assert await api.app.operation.idempotency.forget() == 0
    assert (await add(api, "eve@example.com")).status == 201
    await age(timedelta(minutes=2))
    # Not swept yet, and forgotten all the same.
    problem(await add(api, "eve@example.com"), 409, "already_exists")
    await age(timedelta(hours=25))
    assert await api.app.operation.idempotency.forget() == 1
    assert await rows(database) == []


@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 256, "a\tb"])
async def test_an_unusable_key_is_400(stranger: Caller, key: str) -> None:
    problem(await add(stranger, "eve@example.com", key=key), 400, "idempotency_key_invalid")


async def test_a_read_ignores_the_key(api: Caller, database: Database) -> None:
    response = await api("GET", USERS, token=api.token("Admin"), headers={"idempotency-key": "a b"})
    assert response.status == 200
    assert await rows(database) == []


async def test_a_refusal_too_large_to_be_kept_is_answered_and_changes_nothing(
    api: Caller, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def verbose(mailbox: str) -> Any:
        raise ValidationFailed([FieldError("address", "x" * idempotency.LARGEST_BODY)])

    monkeypatch.setattr(api.app.foundations.calendars, "get_mailbox", verbose)
    assert (await add(api, "eve@example.com")).status == 422
    assert await rows(database) == []


async def test_the_rights_to_a_change_are_asked_again(
    api: Caller, people: People, database: Database
) -> None:
    send: dict[str, Any] = {"headers": {"idempotency-key": "k"}}
    assert (await api("POST", PATH, wish(people.ada), token=people.ada.token, **send)).status == 201
    demoted = api.person(people.ada.oid, "Auditor")
    problem(await api("POST", PATH, wish(people.ada), token=demoted, **send), 403, "role_missing")


async def test_an_answer_is_not_given_again_to_who_lost_the_role(api: Caller, people: People) -> None:
    send: dict[str, Any] = {"headers": {"idempotency-key": "k"}}
    admin = api.person(people.ada.oid, "Admin")
    made = await api("POST", PATH, wish(people.bob), token=admin, **send)
    assert made.status == 201
    again = await api("POST", PATH, wish(people.bob), token=admin, **send)
    assert (again.status, again.body) == (201, made.body)
    problem(await api("POST", PATH, wish(people.bob), token=people.ada.token, **send), 404)


async def test_an_answer_is_not_given_again_about_what_the_caller_may_not_see(
    api: Caller, people: People, database: Database
) -> None:
    send: dict[str, Any] = {"headers": {"idempotency-key": "k"}}
    made = await api("POST", PATH, wish(people.ada), token=people.ada.token, **send)
    path = made.headers["location"].removeprefix("/api/")
    deleted = await api("DELETE", path, token=people.ada.token, headers={"if-match": "*"})
    assert deleted.status == 204
    problem(await api("POST", PATH, wish(people.ada), token=people.ada.token, **send), 404)
