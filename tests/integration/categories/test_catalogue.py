"""Categories of both stores: Outlook's list at Graph, and those kept here."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People, Person
from tests.integration.categories.conftest import Record

PATH = "v1/categories"


async def create(api: Caller, person: Person, name: str, store: str = "outlook", **more: Any) -> Any:
    response = await api("POST", PATH, {"name": name, "store": store, **more}, token=person.token)
    assert response.status == 201, response.json
    return response


async def names(api: Caller, person: Person, **query: Any) -> list[tuple[str, str]]:
    listed = await api("GET", PATH, token=person.token, **query)
    return [(item["name"], item["store"]) for item in listed.json["items"]]


def of_ada(api: Caller, people: People) -> list[Any]:
    mailbox = api.simulator.state.find_mailbox(str(people.ada.oid))
    assert mailbox is not None
    return mailbox.categories


async def test_both_stores_are_listed_together_with_what_their_names_say(api: Caller, people: People) -> None:
    of_ada(api, people).append({"id": str(uuid4()), "displayName": "Red category", "color": "preset0"})
    await create(api, people.ada, "Beta - non-billable", "local")
    await create(api, people.ada, "Acme - billable", color="preset4")
    await create(api, people.ada, "Online", "local")
    items = (await api("GET", PATH, token=people.ada.token)).json["items"]
    assert [(item["name"], item["store"], item["customer"], item["billing_type"]) for item in items] == [
        ("Acme - billable", "outlook", "Acme", "billable"),
        ("Beta - non-billable", "local", "Beta", "non-billable"),
        ("Online", "local", None, None),
        ("Red category", "outlook", None, None),
    ]
    assert [item["special"] for item in items] == [None, None, "online", None]
    assert items[3]["issue"] == {"kind": "missing_separator", "reason": "Red category"}
    assert [(entry["displayName"], entry["color"]) for entry in of_ada(api, people)] == [
        ("Red category", "preset0"),
        ("Acme - billable", "preset4"),
    ]
    assert await names(api, people.ada, store="local") == [
        ("Beta - non-billable", "local"),
        ("Online", "local"),
    ]
    assert await names(api, people.bob) == []


async def test_the_list_comes_in_pages_by_name(api: Caller, people: People) -> None:
    for number in range(5):
        await create(api, people.ada, f"Customer {number} - billable", ("outlook", "local")[number % 2])
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        page = (await api("GET", PATH, token=people.ada.token, limit=2, **cursor)).json
        seen += [item["name"] for item in page["items"]]
        cursor = {"cursor": page["next"]}
    assert seen == [f"Customer {number} - billable" for number in range(5)]
    assert cursor == {"cursor": None}
    assert (await api("GET", PATH, token=people.ada.token, cursor="nonsense!")).fields == ["cursor"]


@pytest.mark.parametrize("store", ["outlook", "local"])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Acme", "missing_separator"),
        ("Acme - paid", "unknown_billing_type"),
        ("- billable", "empty_customer"),
    ],
)
async def test_a_name_that_is_no_category_is_refused_with_its_issue(
    api: Caller, people: People, store: str, name: str, code: str
) -> None:
    response = await api("POST", PATH, {"name": name, "store": store}, token=people.ada.token)
    problem(response, 422, "validation_failed")
    assert [(error["field"], error["code"]) for error in response.json["errors"]] == [("name", code)]
    assert of_ada(api, people) == []


@pytest.mark.parametrize("store", ["outlook", "local"])
async def test_a_name_is_there_once(api: Caller, people: People, store: str) -> None:
    await create(api, people.ada, "Acme - billable", store)
    again = await api("POST", PATH, {"name": "ACME - Billable", "store": store}, token=people.ada.token)
    problem(again, 409, "already_exists")


async def test_a_category_of_outlook_is_recoloured_and_deleted_but_never_renamed(
    api: Caller, people: People
) -> None:
    made = await create(api, people.ada, "Acme - billable")
    path, tag = f"{PATH}/{made.json['id']}", {"if-match": made.headers["etag"]}
    assert made.headers["location"].startswith(f"/api/{path}")
    assert (await api("GET", path, token=people.ada.token)).headers["etag"] == made.headers["etag"]
    problem(await api("PATCH", path, {"color": "preset3"}, token=people.ada.token), 428)
    renamed = await api("PATCH", path, {"name": "Beta - billable"}, token=people.ada.token, headers=tag)
    problem(renamed, 422, "validation_failed")
    assert [(error["field"], error["code"]) for error in renamed.json["errors"]] == [("name", "immutable")]
    changed = await api("PATCH", path, {"color": "preset3"}, token=people.ada.token, headers=tag)
    assert (changed.status, changed.json["color"]) == (200, "preset3")
    assert of_ada(api, people)[0]["color"] == "preset3"
    problem(await api("DELETE", path, token=people.ada.token, headers=tag), 412)
    new_tag = {"if-match": changed.headers["etag"]}
    assert (await api("DELETE", path, token=people.ada.token, headers=new_tag)).status == 204
    assert of_ada(api, people) == []
    problem(await api("GET", path, token=people.ada.token), 404)


async def test_a_category_kept_here_is_renamed_too(api: Caller, people: People) -> None:
    made = await create(api, people.ada, "Acme - billable", "local")
    await create(api, people.ada, "Beta - billable", "local")
    path, tag = f"{PATH}/{made.json['id']}", {"if-match": made.headers["etag"]}
    taken = await api("PATCH", path, {"name": "beta - billable"}, token=people.ada.token, headers=tag)
    problem(taken, 409, "already_exists")
    change = {"name": "Gamma - billable", "color": "preset1"}
    changed = await api("PATCH", path, change, token=people.ada.token, headers=tag)
    assert (changed.json["customer"], changed.json["version"]) == ("Gamma", 2)
    problem(await api("PATCH", path, change, token=people.ada.token, headers=tag), 412)
    problem(await api("DELETE", path, token=people.ada.token, headers=tag), 412)
    assert (await api("DELETE", path, token=people.ada.token, headers={"if-match": "*"})).status == 204
    assert await names(api, people.ada) == [("Beta - billable", "local")]


@pytest.mark.parametrize("store", ["outlook", "local"])
async def test_anothers_category_is_not_there_except_an_admin(
    api: Caller, people: People, store: str
) -> None:
    made = (await create(api, people.ada, "Acme - billable", store)).json
    path, any_version = f"{PATH}/{made['id']}", {"if-match": "*"}
    queries: tuple[dict[str, Any], ...] = ({}, {"user_id": people.ada.id})
    for query in queries:
        problem(await api("GET", path, token=people.bob.token, **query), 404)
        for method, body in (("PATCH", {"color": "preset1"}), ("DELETE", None)):
            response = await api(method, path, body, token=people.bob.token, headers=any_version, **query)
            problem(response, 404)
    problem(await api("GET", PATH, token=people.bob.token, user_id=people.ada.id), 404)
    body = {"user_id": str(people.ada.id), "name": "Beta - billable", "store": store}
    problem(await api("POST", PATH, body, token=people.bob.token), 404)
    found = await api("GET", path, token=people.auditor, user_id=people.ada.id)
    assert found.json == made
    changed = await api(
        "PATCH", path, {"color": "preset1"}, token=people.admin, headers=any_version, user_id=people.ada.id
    )
    assert changed.json["color"] == "preset1"


async def test_changes_are_audited_without_a_readable_name(
    api: Caller, people: People, database: Database
) -> None:
    for store in ("outlook", "local"):
        made = await create(api, people.ada, f"{store} - billable", store)
        path, any_version = f"{PATH}/{made.json['id']}", {"if-match": "*"}
        await api("PATCH", path, {"color": "preset1"}, token=people.ada.token, headers=any_version)
        await api("DELETE", path, token=people.ada.token, headers=any_version)
    async with database.session() as session:
        entries = (
            await session.execute(
                select(AuditEntry)
                .where(AuditEntry.resource_type == "category")
                .order_by(AuditEntry.occurred_at)
            )
        ).scalars()
        found = [(entry.action, entry.on_behalf_of, str(entry.changes)) for entry in entries]
    assert [action for action, _, _ in found] == [
        "category.created",
        "category.updated",
        "category.deleted",
    ] * 2
    assert {owner for _, owner, _ in found} == {people.ada.id}
    assert not [changes for _, _, changes in found if "- billable" in changes]


async def test_what_the_archive_uses_is_added_to_outlook(api: Caller, people: People, record: Record) -> None:
    await create(api, people.ada, "acme - BILLABLE")
    await record("Acme - billable")
    await record("Beta - billable", "Red")
    await record("billable - Beta")
    await record("Gamma - non-billable", "Gamma - paid", is_cancelled=True)
    body = {"user_id": str(people.ada.id), "color": "preset7"}
    added = (await api("POST", f"{PATH}/missing", body, token=people.ada.token)).json
    assert [(item["name"], item["color"]) for item in added["created"]] == [("Beta - billable", "preset7")]
    assert (added["present"], added["remaining"]) == (1, 0)
    again = (await api("POST", f"{PATH}/missing", body, token=people.ada.token)).json
    assert (again["created"], again["present"]) == ([], 2)


async def test_an_answer_that_is_lost_makes_no_second_category(api: Caller, people: People) -> None:
    api.simulator.faults.add(
        {"kind": "lost_answer", "match": {"path_regex": "masterCategories", "method": "POST"}}
    )
    made = await create(api, people.ada, "Acme - billable")
    assert [entry["id"] for entry in of_ada(api, people)] == [made.json["id"]]


async def test_a_permission_that_is_missing_is_told(api: Caller, people: People) -> None:
    """An Admin reaches another's mailbox with the application's permission."""
    api.simulator.settings.graph_roles = ["Calendars.ReadWrite", "User.Read.All", "MailboxSettings.Read"]
    await api.app.foundations.graph.tokens.invalidate(await api.app.foundations.graph.token())
    listed = await api("GET", PATH, token=people.admin, user_id=people.ada.id)
    assert listed.json["items"] == []
    body = {"name": "Acme - billable", "user_id": str(people.ada.id)}
    response = await api("POST", PATH, body, token=people.admin)
    assert problem(response, 502, "graph_refused")["detail"].endswith("ErrorAccessDenied")


async def test_a_mailbox_that_is_gone_is_told(api: Caller, people: People) -> None:
    mailbox = api.simulator.state.find_mailbox(str(people.ada.oid))
    assert mailbox is not None
    mailbox.enabled = False
    problem(await api("GET", PATH, token=people.ada.token), 404, "mailbox_not_found")
    assert await names(api, people.ada, store="local") == []
