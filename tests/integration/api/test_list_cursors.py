"""A cursor leads on in its own list only: with the same filters, for the same caller."""

from typing import Any
from uuid import uuid4

import pytest

from shared.database.engine import Database
from shared.database.models.users import User
from shared.triggers.http.registry import OPERATIONS
from tests.integration.api.caller import Caller, problem

ADMIN = uuid4()


@pytest.fixture
async def cursor(api: Caller, database: Database) -> str:
    """The cursor of the first page of users, for one Admin."""
    async with database.session() as session:
        session.add_all(
            User(
                tenant_id=api.app.foundations.settings.tenant_id,
                object_id=uuid4(),
                address=f"p{number}@example.com",
                display_name=f"P {number}",
            )
            for number in range(3)
        )
    page = await api("GET", "v1/users", token=api.person(ADMIN, "Admin"), limit=1)
    return str(page.json["next"])


async def test_it_leads_on_whatever_the_size_of_the_pages(api: Caller, cursor: str) -> None:
    for path in ("v1/users", "V1/Users"):
        page = await api("GET", path, token=api.person(ADMIN, "Admin"), limit=200, cursor=cursor)
        assert (page.status, len(page.json["items"])) == (200, 2)


@pytest.mark.parametrize(
    "path", ["v1/audit", "v1/audit/export", "v1/archive-configurations", "v1/notifications"]
)
async def test_another_list_refuses_it(api: Caller, cursor: str, path: str) -> None:
    refused = await api("GET", path, token=api.person(ADMIN, "Admin"), cursor=cursor)
    problem(refused, 422, "validation_failed")
    assert refused.fields == ["cursor"]


async def test_another_caller_is_refused(api: Caller, cursor: str) -> None:
    refused = await api("GET", "v1/users", token=api.token("Admin", oid=str(uuid4())), cursor=cursor)
    assert refused.fields == ["cursor"]


async def test_other_filters_are_refused(api: Caller, database: Database, cursor: str) -> None:
    token = api.person(ADMIN, "Admin")
    audit = await api("GET", "v1/audit", token=token, limit=1, outcome="success")
    assert audit.status == 200
    async with database.session() as session:
        session.add(
            User(
                tenant_id=api.app.foundations.settings.tenant_id,
                object_id=uuid4(),
                address="q@example.com",
                display_name="Q",
            )
        )
    changed = "A" + cursor[1:] if cursor[0] != "A" else "B" + cursor[1:]
    for wrong in (cursor.rpartition(".")[0], cursor + "0", changed.rpartition(".")[0] + ".0", "."):
        refused = await api("GET", "v1/users", token=token, cursor=wrong)
        assert refused.fields == ["cursor"], wrong


async def test_the_filters_of_a_narrowed_list_belong_to_its_cursor(api: Caller) -> None:
    token = api.person(ADMIN, "Admin")
    for number in range(3):
        address = f"n{number}@example.com"
        api.mailbox(address)
        await api("POST", "v1/users", {"address": address}, token=token)
    narrowed: dict[str, Any] = {"action": "user.created", "limit": 1}
    following = (await api("GET", "v1/audit", token=token, **narrowed)).json["next"]
    assert following is not None
    assert (await api("GET", "v1/audit", token=token, **narrowed, cursor=following)).status == 200
    for other in ({"limit": 1}, {**narrowed, "outcome": "success"}):
        assert (await api("GET", "v1/audit", token=token, **other, cursor=following)).fields == ["cursor"]


def test_every_list_names_its_next_page_in_one_way() -> None:
    """What is sealed is the field ``next`` of the answer, or the headers of a file."""

    def leads_on(operation: Any) -> bool:
        model = operation.response
        return operation.media_type != "application/json" or (
            model is not None and "next" in model.model_fields
        )

    lists = [each for each in OPERATIONS.values() if each.query and "cursor" in each.query.model_fields]
    assert lists
    assert [each.id for each in lists if not leads_on(each)] == []
