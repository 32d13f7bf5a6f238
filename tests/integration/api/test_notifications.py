"""Notifications over HTTP: people read only their own, and Admins also those for the tenant's Admins."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.users import User
from shared.domain.notifications.notification import Audience, NotificationClass, NotificationState
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People
from tests.support.factories import START, Factory

LIST = "v1/notifications"
DAY = timedelta(days=1)


@dataclass
class Told:
    """Ada's: an old one, a newer one that is read, a running backfill, and one about her for Admins."""

    old: UUID
    read: UUID
    backfill: UUID
    admins: UUID


@pytest.fixture
async def told(database: Database, people: People) -> Told:
    async with database.session() as session:
        make = Factory(session)
        ada = await session.get_one(User, people.ada.id)
        old = await make.notification(ada, class_=NotificationClass.RUN_FAILED)
        times = {"created_at": START + DAY, "updated_at": START + DAY}
        read = await make.notification(ada, read_at=START + 2 * DAY, **times)
        times = {"created_at": START + 2 * DAY, "updated_at": START + 3 * DAY}
        backfill = await make.notification(ada, state=NotificationState.PROGRESS, percent=40, **times)
        admins = await make.notification(
            ada, audience=Audience.ADMINS, class_=NotificationClass.JOB_PAUSED, count=5
        )
        elsewhere = await make.user(tenant_id=uuid4())
        await make.notification(elsewhere, audience=Audience.ADMINS)
        return Told(old.id, read.id, backfill.id, admins.id)


async def listed(api: Caller, token: str, **query: Any) -> tuple[list[str], int]:
    response = await api("GET", LIST, token=token, **query)
    assert response.status == 200, response.body
    return [item["id"] for item in response.json["items"]], response.json["unread"]


async def mark(api: Caller, notification: UUID, token: str, read: bool, tag: str = "*") -> Response:
    headers = {"if-match": tag}
    return await api("PATCH", f"{LIST}/{notification}", {"read": read}, token=token, headers=headers)


async def test_people_see_their_notifications_newest_first(api: Caller, people: People, told: Told) -> None:
    token = people.ada.token
    expected = [str(told.backfill), str(told.read), str(told.old)]
    assert await listed(api, token) == (expected, 2)
    assert await listed(api, token, unread="true") == ([expected[0], expected[2]], 2)
    assert await listed(api, token, unread="false") == ([expected[1]], 2)
    assert await listed(api, token, kind="run_failed") == ([expected[2]], 2)
    first = (await api("GET", LIST, token=token, limit=2)).json
    assert [item["id"] for item in first["items"]] == expected[:2]
    assert await listed(api, token, cursor=first["next"]) == (expected[2:], 2)
    query: dict[str, Any] = {"kind": "gossip"}
    response = await api("GET", LIST, token=token, **query)
    problem(response, 422, "validation_failed")
    assert response.fields == ["kind"]


async def test_one_is_told_whole(api: Caller, people: People, told: Told) -> None:
    response = await api("GET", f"{LIST}/{told.backfill}", token=people.ada.token)
    assert (response.status, response.headers["etag"]) == (200, '"1"')
    one = response.json
    assert (one["kind"], one["status"], one["progress"]) == ("run_finished", "progress", 40)
    assert (one["user_id"], one["audience"], one["resource_type"]) == (
        str(people.ada.id),
        "owner",
        "archive_run",
    )
    assert (one["read"], one["read_at"], one["created_at"]) == (False, None, "2026-03-04T09:00:00Z")
    assert one in (await api("GET", LIST, token=people.ada.token)).json["items"]


async def test_another_persons_do_not_exist_whatever_the_role(
    api: Caller, people: People, told: Told
) -> None:
    for token in (people.bob.token, people.admin, people.auditor, api.token("Auditor", app_only=True)):
        problem(await api("GET", f"{LIST}/{told.old}", token=token), 404, "not_found")
    for token in (people.bob.token, people.auditor):
        assert await listed(api, token) == ([], 0)
        problem(await api("GET", f"{LIST}/{told.admins}", token=token), 404, "not_found")
    problem(await mark(api, told.old, people.bob.token, True), 404, "not_found")
    problem(await mark(api, told.old, people.admin, True), 404, "not_found")
    problem(await mark(api, told.old, people.auditor, True), 403, "role_missing")
    marked = await api("POST", f"{LIST}/read", {"until": "2030-01-01T00:00:00Z"}, token=people.bob.token)
    assert marked.json == {"marked": 0}
    assert (await listed(api, people.ada.token))[1] == 2


async def test_admins_read_together_what_is_for_them(api: Caller, people: People, told: Told) -> None:
    other = api.token("Admin", oid=str(uuid4()))
    for token in (people.admin, other, api.token("Admin", app_only=True)):
        assert await listed(api, token) == ([str(told.admins)], 1)
    one = (await mark(api, told.admins, people.admin, True)).json
    assert (one["audience"], one["user_id"], one["count"]) == ("admins", str(people.ada.id), 5)
    assert await listed(api, other, unread="true") == ([], 0)
    assert str(told.admins) not in (await listed(api, people.ada.token))[0]


async def test_one_is_marked_read_and_unread_again_at_the_version_seen(
    api: Caller, people: People, told: Told, database: Database
) -> None:
    token = people.ada.token
    problem(await api("PATCH", f"{LIST}/{told.old}", {"read": True}, token=token), 428)
    marked = await mark(api, told.old, token, True, '"1"')
    assert (marked.status, marked.headers["etag"], marked.json["read"]) == (200, '"2"', True)
    problem(await mark(api, told.old, token, False, '"1"'), 412, "precondition_failed")
    again = await mark(api, told.old, token, True, '"2"')
    assert (again.status, again.headers["etag"], again.json["read_at"]) == (
        200,
        '"2"',
        marked.json["read_at"],
    )
    assert (await listed(api, token))[1] == 1
    back = await mark(api, told.old, token, False)
    assert (back.json["read"], back.json["read_at"], back.json["version"]) == (False, None, 3)
    response = await api("PATCH", f"{LIST}/{told.old}", {}, token=token, headers={"if-match": "*"})
    problem(response, 422, "validation_failed")
    async with database.session() as session:
        rows = (await session.execute(select(AuditEntry).order_by(AuditEntry.occurred_at))).scalars()
        audited = [
            (row.action, row.resource_id, row.on_behalf_of)
            for row in rows
            if row.action.startswith("notification")
        ]
    assert audited == [
        ("notification.read", str(told.old), people.ada.id),
        ("notification.unread", str(told.old), people.ada.id),
    ]


async def test_everything_up_to_an_instant_is_read_and_what_changed_since_is_not(
    api: Caller, people: People, told: Told, database: Database
) -> None:
    token = people.ada.token
    body = {"until": (START + 2 * DAY).isoformat()}
    keyed = {"idempotency-key": "once"}
    for _ in range(2):
        answer = await api("POST", f"{LIST}/read", body, token=token, headers=keyed)
        assert (answer.status, answer.json) == (200, {"marked": 1})
    assert await listed(api, token, unread="true") == ([str(told.backfill)], 1)
    body = {"until": datetime.now(UTC).isoformat()}
    assert (await api("POST", f"{LIST}/read", body, token=token)).json == {"marked": 1}
    assert (await api("POST", f"{LIST}/read", body, token=token)).json == {"marked": 0}
    response = await api("POST", f"{LIST}/read", {}, token=token)
    problem(response, 422, "validation_failed")
    assert response.fields == ["until"]
    async with database.session() as session:
        found = select(AuditEntry.changes).where(AuditEntry.action == "notifications.read")
        marked = [row["notifications"] for row in (await session.execute(found)).scalars()]
    assert marked == [[str(told.old)], [str(told.backfill)]]
