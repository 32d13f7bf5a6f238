"""A person's rules for categories."""

from typing import Any

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People

PATH = "v1/category-rules"
RULE = {"relation": "subject", "match": "Weekly with Acme", "category": "Acme - billable"}
ANY = {"if-match": "*"}


async def create(api: Caller, token: str, **fields: Any) -> Any:
    response = await api("POST", PATH, RULE | fields, token=token)
    assert response.status == 201, response.json
    return response


async def test_a_rule_is_added_read_changed_and_deleted(
    api: Caller, people: People, database: Database
) -> None:
    made = await create(api, people.ada.token)
    path, tag = f"{PATH}/{made.json['id']}", {"if-match": made.headers["etag"]}
    assert made.headers["location"] == f"/api/{path}"
    assert (made.json["auto_apply"], made.json["user_id"]) == (False, str(people.ada.id))
    assert (await api("GET", path, token=people.ada.token)).json == made.json
    problem(await api("PATCH", path, {"auto_apply": True}, token=people.ada.token), 428)
    changed = await api("PATCH", path, {"auto_apply": True}, token=people.ada.token, headers=tag)
    assert (changed.json["auto_apply"], changed.json["version"]) == (True, 2)
    problem(await api("DELETE", path, token=people.ada.token, headers=tag), 412)
    same = await api("PATCH", path, {"auto_apply": True}, token=people.ada.token, headers=ANY)
    assert same.json["version"] == 2
    assert (await api("DELETE", path, token=people.ada.token, headers=ANY)).status == 204
    problem(await api("GET", path, token=people.ada.token), 404)
    async with database.session() as session:
        statement = select(AuditEntry).where(AuditEntry.resource_type == "category_rule")
        entries = list((await session.execute(statement.order_by(AuditEntry.occurred_at))).scalars())
    assert [entry.action.partition(".")[2] for entry in entries] == ["created", "updated", "deleted"]
    assert "Acme" not in str([entry.changes for entry in entries])


async def test_there_is_one_rule_for_a_match(api: Caller, people: People) -> None:
    await create(api, people.ada.token)
    again = await api("POST", PATH, RULE | {"match": " weekly  WITH acme"}, token=people.ada.token)
    problem(again, 409, "already_exists")
    await create(api, people.ada.token, relation="location")
    await create(api, people.bob.token)


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"relation": "domain", "match": "@"}, "match", "match_empty"),
        ({"category": "Acme"}, "category", "missing_separator"),
        ({"category": "Online"}, "category", "modifier_only"),
        ({"relation": "colour"}, "relation", "not_one_of"),
    ],
)
async def test_a_rule_that_says_nothing_is_refused(
    api: Caller, people: People, fields: dict[str, str], field: str, code: str
) -> None:
    response = await api("POST", PATH, RULE | fields, token=people.ada.token)
    problem(response, 422, "validation_failed")
    assert [(error["field"], error["code"]) for error in response.json["errors"]] == [(field, code)]


async def test_rules_are_ones_own_except_an_admin(api: Caller, people: People) -> None:
    made = (await create(api, people.ada.token)).json
    path = f"{PATH}/{made['id']}"
    problem(await api("GET", path, token=people.bob.token), 404)
    problem(await api("PATCH", path, {"auto_apply": True}, token=people.bob.token, headers=ANY), 404)
    problem(await api("DELETE", path, token=people.bob.token, headers=ANY), 404)
    problem(await api("GET", PATH, token=people.bob.token, user_id=people.ada.id), 404)
    problem(await api("POST", PATH, RULE | {"user_id": str(people.ada.id)}, token=people.bob.token), 404)
    assert (await api("GET", PATH, token=people.bob.token)).json["items"] == []
    assert (await api("GET", path, token=people.auditor)).json == made
    listed = await api("GET", PATH, token=people.admin, user_id=people.ada.id)
    assert listed.json["items"] == [made]
    changed = await api("PATCH", path, {"category": "Beta - billable"}, token=people.admin, headers=ANY)
    assert changed.json["category"] == "Beta - billable"
    assert (await api("GET", PATH, token=people.admin)).fields == ["user_id"]


async def test_rules_come_in_pages(api: Caller, people: People) -> None:
    for number in range(3):
        await create(api, people.ada.token, match=f"Subject {number}")
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(2):
        page = (await api("GET", PATH, token=people.ada.token, limit=2, **cursor)).json
        seen += [item["match"] for item in page["items"]]
        cursor = {"cursor": page["next"]}
    assert (seen, cursor) == (["Subject 0", "Subject 1", "Subject 2"], {"cursor": None})
