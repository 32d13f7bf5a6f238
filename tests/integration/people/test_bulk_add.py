"""Many people at once: dry run first, then the same for real, each entry alone (domain.md 1)."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from infra.local.graph_simulator.graph.groups import Groups
from infra.local.graph_simulator.loading.mailboxes import Loader
from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.users import User
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People


def mailbox(api: Caller, address: str, **wish: Any) -> UUID:
    """A mailbox with a wish of its own."""
    loader = Loader(api.simulator.state, api.simulator.settings)
    return UUID(loader.load_mailbox({"address": address, **wish})["oid"])


def group(api: Caller, name: str, *members: str) -> str:
    """A group of addresses and other groups' names; its object id."""
    loaded = Groups(api.simulator.state).load({"name": name, "members": list(members)})
    return str(loaded["id"])


async def bulk(api: Caller, **body: Any) -> Any:
    answer = await api("POST", "v1/users/bulk", body, token=api.token("Admin"))
    assert answer.status == 200, answer.json
    return answer.json


def outcomes(answer: Any) -> dict[str, str]:
    return {entry["address"]: entry["outcome"] for entry in answer["items"]}


async def test_a_dry_run_says_of_each_entry_what_would_become_of_it_and_changes_nothing(
    api: Caller, people: People, database: Database
) -> None:
    carol = mailbox(api, "carol@example.com", display_name="Carol")
    mailbox(api, "unlicensed@example.com", enabled=False)
    mailbox(api, "guest@example.com", user_type="Guest")
    async with database.session() as session:
        (await session.get_one(User, people.bob.id)).active = False
    addresses = [
        *("carol@example.com", "ada@example.com", "bob@example.com", "nobody@example.com"),
        *("unlicensed@example.com", "guest@example.com", "no address", "CAROL@example.com"),
    ]
    answer = await bulk(api, addresses=addresses, dry_run=True)
    assert outcomes(answer) == {
        "carol@example.com": "would_add",
        "ada@example.com": "exists",
        "bob@example.com": "reactivatable",
        "nobody@example.com": "unknown_mailbox",
        "unlicensed@example.com": "no_mailbox",
        "guest@example.com": "guest",
        "no address": "invalid_address",
        "CAROL@example.com": "duplicate",
    }
    first = answer["items"][0]
    assert (first["object_id"], first["display_name"]) == (str(carol), "Carol")
    assert answer["items"][1]["user_id"] == str(people.ada.id)
    assert answer["outcomes"]["would_add"] == 1
    async with database.session() as session:
        assert len((await session.execute(select(User))).all()) == 2


async def test_the_same_request_then_does_it_and_again_changes_nothing(
    api: Caller, people: People, database: Database
) -> None:
    mailbox(api, "carol@example.com")
    mailbox(api, "dan@example.com")
    async with database.session() as session:
        (await session.get_one(User, people.bob.id)).active = False
    addresses = ["carol@example.com", "nobody@example.com", "bob@example.com", "dan@example.com"]
    answer = await bulk(api, addresses=addresses)
    assert list(outcomes(answer).values()) == ["added", "unknown_mailbox", "reactivatable", "added"]
    again = await bulk(api, addresses=addresses, reactivate=True)
    assert list(outcomes(again).values()) == ["exists", "unknown_mailbox", "reactivated", "exists"]
    assert [e["user_id"] for e in again["items"]] == [e["user_id"] for e in answer["items"]]
    async with database.session() as session:
        users = (await session.execute(select(User.address, User.active))).all()
        rows = (await session.execute(select(AuditEntry.action, AuditEntry.changes))).all()
    assert sorted((row[0], row[1]) for row in users) == [
        (f"{name}@example.com", True) for name in ("ada", "bob", "carol", "dan")
    ]
    assert [action for action, changes in rows if changes.get("in_bulk")] == [
        "user.created",
        "user.created",
        "user.updated",
    ]


async def test_a_group_is_taken_with_the_groups_within_it(api: Caller) -> None:
    for number in range(25):
        mailbox(api, f"p{number}@example.com")
    inner = [f"p{number}@example.com" for number in range(20, 25)]
    group(api, "Inner", *inner, "p0@example.com")
    outer = group(api, "Outer", *(f"p{number}@example.com" for number in range(20)), "Inner")
    group(api, "Inner", *inner, "p0@example.com", "Outer")
    api.simulator.counters.reset()
    answer = await bulk(api, group_id=outer, dry_run=True)
    assert answer["outcomes"] == {"would_add": 25}
    # A page of the group, and the mailboxes twenty to a round trip.
    assert api.simulator.counters.as_dict()["round_trips"] == 3
    assert (await bulk(api, group_id=outer))["outcomes"] == {"added": 25}
    assert (await bulk(api, group_id=outer))["outcomes"] == {"exists": 25}


async def test_an_unknown_group_and_one_without_permission_are_said(api: Caller) -> None:
    admin = api.token("Admin")
    answer = await api("POST", "v1/users/bulk", {"group_id": str(uuid4())}, token=admin)
    problem(answer, 422)
    assert answer.fields == ["group_id"]
    known = group(api, "Team")
    api.simulator.settings.graph_roles = ["User.Read.All", "Calendars.ReadWrite"]
    await api.app.foundations.graph.tokens.invalidate()
    refused = await api("POST", "v1/users/bulk", {"group_id": known}, token=admin)
    problem(refused, 502, "graph_refused")


async def test_a_directory_that_refuses_fails_the_whole_request(api: Caller, database: Database) -> None:
    addresses = [f"p{number}@example.com" for number in range(45)]
    for address in addresses:
        mailbox(api, address)
    api.simulator.faults.add(
        {"kind": "status", "status": 403, "code": "Authorization_RequestDenied", "times": None}
        | {"match": {"path_regex": "^/users/p44"}}
    )
    answer = await api("POST", "v1/users/bulk", {"addresses": addresses}, token=api.token("Admin"))
    problem(answer, 502, "graph_refused")
    async with database.session() as session:
        assert (await session.execute(select(User))).first() is None


async def test_a_mailbox_that_the_app_may_not_reach_is_told_apart(api: Caller) -> None:
    mailbox(api, "carol@example.com")
    mailbox(api, "dan@example.com")
    api.simulator.settings.allowed_mailboxes = ["carol@example.com"]
    answer = await bulk(api, addresses=["carol@example.com", "dan@example.com"])
    assert list(outcomes(answer).values()) == ["added", "no_access"]


async def test_who_has_anothers_former_address_fails_alone(
    api: Caller, people: People, database: Database
) -> None:
    mailbox(api, "carol@example.com")
    async with database.session() as session:
        (await session.get_one(User, people.ada.id)).object_id = uuid4()
    answer = await bulk(api, addresses=["ada@example.com", "carol@example.com"])
    assert list(outcomes(answer).values()) == ["failed", "added"]
    assert answer["items"][0]["reason_code"] == "address_taken"


@pytest.mark.parametrize("body", [{}, {"addresses": ["a@b.c"], "group_id": str(uuid4())}, {"addresses": []}])
async def test_either_addresses_or_a_group_is_named(api: Caller, body: dict[str, Any]) -> None:
    problem(await api("POST", "v1/users/bulk", body, token=api.token("Admin")), 422)


async def test_a_repeated_key_does_not_add_twice(api: Caller) -> None:
    mailbox(api, "carol@example.com")
    sent: dict[str, Any] = {"token": api.token("Admin"), "headers": {"idempotency-key": "bulk-1"}}
    first = await api("POST", "v1/users/bulk", {"addresses": ["carol@example.com"]}, **sent)
    again = await api("POST", "v1/users/bulk", {"addresses": ["carol@example.com"]}, **sent)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json == first.json


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_its_path_is_nobodys_id(api: Caller, method: str) -> None:
    body = {"display_name": "Bulk"} if method == "PATCH" else None
    answer = await api(method, "v1/users/bulk", body, token=api.token("Admin"), headers={"if-match": "*"})
    problem(answer, 405)
    assert answer.headers["allow"] == "POST, OPTIONS"
