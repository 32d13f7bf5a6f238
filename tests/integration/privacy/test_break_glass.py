"""An Admin's emergency access to a person's private events (domain.md 6.3, 15.2)."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.break_glass import BreakGlassAccess
from shared.triggers.http import leaving
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import create
from tests.integration.privacy.conftest import RANGE, Drive, Enter, archive

DATA_ACCESS: dict[str, Any] = {"kind": "data_access"}

SECRET = "Surgeon"
REASON = "Ada is missing and the police ask where she was."


@pytest.fixture
async def archived(api: Caller, people: People, enter: Enter, drive: Drive) -> str:
    """Ada's own archive with a private event that overlaps another one."""
    enter(people.ada, "Steering", 2, 9, categories=["Acme - billable"])
    enter(people.ada, SECRET, 2, 9, sensitivity="private", location={"displayName": SECRET})
    configuration = str((await create(api, people.ada, time_zone="UTC")).json["id"])
    await archive(api, configuration, people.ada.token, drive)
    return configuration


async def open_access(api: Caller, people: People, token: str, **wish: Any) -> Any:
    body = {"reason": REASON, **wish}
    return await api("POST", f"v1/users/{people.ada.id}/break-glass-accesses", body, token=token)


async def subjects(api: Caller, people: People, token: str) -> list[str]:
    listed = await api("GET", "v1/appointments", token=token, user_id=str(people.ada.id), **RANGE)
    return sorted(each["subject"] for each in listed.json["items"])


async def in_overlap(api: Caller, people: People, token: str) -> list[str]:
    (group,) = (await api("GET", "v1/overlaps", token=token, user_id=str(people.ada.id))).json["items"]
    found = await api("GET", f"v1/overlaps/{group['id']}", token=token)
    return sorted(each["subject"] for each in found.json["members"])


async def end(database: Database) -> None:
    past = datetime.now(UTC) - timedelta(hours=2)
    async with database.session() as session:
        over = {"opened_at": past, "ends_at": past + timedelta(hours=1)}
        await session.execute(update(BreakGlassAccess).values(**over))


async def test_it_opens_the_events_only_to_its_opener_and_ends_automatically(
    api: Caller, people: People, archived: str, database: Database
) -> None:
    other = api.token("Admin")
    assert await subjects(api, people, people.admin) == ["Private", "Steering"]
    opened = await open_access(api, people, people.admin, minutes=30)
    assert opened.status == 201, opened.json
    ends = datetime.fromisoformat(opened.json["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < ends <= timedelta(minutes=30)
    assert await subjects(api, people, people.admin) == ["Steering", SECRET]
    assert await in_overlap(api, people, people.admin) == ["Steering", SECRET]
    for token in (other, people.auditor):
        assert await subjects(api, people, token) == ["Private", "Steering"]
        assert await in_overlap(api, people, token) == ["Private", "Steering"]
    # The same person without the role: the access is worth nothing.
    assert (
        await api(
            "GET",
            "v1/appointments",
            token=api.token(oid="aaaaaaaa-0000-4000-8000-000000000001"),
            user_id=str(people.ada.id),
            **RANGE,
        )
    ).status == 404
    await end(database)
    assert await subjects(api, people, people.admin) == ["Private", "Steering"]


async def test_the_person_is_told_at_once_with_the_reason_and_every_use_is_audited(
    api: Caller, people: People, archived: str, database: Database
) -> None:
    opened = (await open_access(api, people, people.admin)).json
    (notice,) = (await api("GET", "v1/notifications", token=people.ada.token, **DATA_ACCESS)).json["items"]
    assert REASON in notice["text"]
    assert notice["resource_id"] == opened["id"]
    seen = await api("GET", f"v1/break-glass-accesses/{opened['id']}", token=people.ada.token)
    assert seen.json["reason"] == REASON
    listed = await api("GET", "v1/break-glass-accesses", token=people.bob.token)
    assert listed.json["items"] == []
    problem(await api("GET", f"v1/break-glass-accesses/{opened['id']}", token=people.bob.token), 404)
    await subjects(api, people, people.admin)
    await in_overlap(api, people, people.admin)
    async with database.session() as session:
        statement = select(AuditEntry).where(AuditEntry.action.like("break_glass.%"))
        entries = list((await session.execute(statement)).scalars())
    assert sorted(each.action for each in entries) == ["break_glass.opened", *["break_glass.used"] * 2]
    assert {each.on_behalf_of for each in entries} == {people.ada.id}
    assert SECRET not in str([each.changes for each in entries])


async def test_any_admin_closes_it_and_the_person_is_told(api: Caller, people: People, archived: str) -> None:
    opened = (await open_access(api, people, people.admin)).json
    path = f"v1/break-glass-accesses/{opened['id']}/close"
    problem(await api("POST", path, token=people.ada.token), 403)
    closed = await api("POST", path, token=api.token("Admin"))
    assert closed.json["closed_at"] is not None
    assert await subjects(api, people, people.admin) == ["Private", "Steering"]
    again = await api("POST", path, token=people.admin)
    assert again.json["closed_at"] == closed.json["closed_at"]
    told = (await api("GET", "v1/notifications", token=people.ada.token, **DATA_ACCESS)).json
    assert len(told["items"]) == 2


async def test_what_is_refused(api: Caller, people: People) -> None:
    problem(await open_access(api, people, people.auditor), 403)
    problem(await open_access(api, people, people.bob.token), 403)
    problem(await open_access(api, people, api.token("Admin", app_only=True)), 403, "person_needed")
    problem(await open_access(api, people, api.person(people.ada.oid, "Admin")), 409, "own_content")
    for wish in ({"reason": "short"}, {"reason": "x" * 501}, {"minutes": 1441}, {"minutes": 0}):
        problem(await open_access(api, people, people.admin, **wish), 422)
    assert (await open_access(api, people, people.admin)).status == 201
    problem(await open_access(api, people, people.admin), 409, "access_open")
    missing = f"v1/users/{UUID(int=7)}/break-glass-accesses"
    problem(await api("POST", missing, {"reason": REASON}, token=people.admin), 404)


async def export(api: Caller, people: People, token: str, **wish: Any) -> Any:
    return await api("POST", f"v1/users/{people.ada.id}/exports", wish or None, token=token)


async def text_of(api: Caller, export_id: str, token: str) -> str:
    got = await api("GET", f"v1/user-exports/{export_id}/content", token=token)
    assert got.status == 200, got.json
    with zipfile.ZipFile(io.BytesIO(got.body)) as archive:
        return "".join(archive.read(name).decode() for name in archive.namelist())


async def test_an_export_by_an_admin_is_told_and_holds_private_events_by_an_access_alone(
    api: Caller, people: People, archived: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(client: object, export_id: UUID) -> None:
        async with api.app.people.exports.acting_for(export_id):
            await api.app.people.exports.prepare(export_id)

    monkeypatch.setattr(leaving, "start_exporting", start)
    changed = {"max_exports_per_day": 9}
    await api("PATCH", "v1/system/settings", changed, token=people.admin, headers={"if-match": "*"})
    problem(await export(api, people, people.admin, private_events=True), 403, "break_glass_needed")
    masked = (await export(api, people, people.admin)).json
    assert SECRET not in await text_of(api, masked["id"], people.admin)
    assert (await open_access(api, people, people.admin)).status == 201
    whole = (await export(api, people, people.admin, private_events=True)).json
    assert whole["break_glass_id"] is not None
    assert SECRET in await text_of(api, whole["id"], people.admin)
    told = (await api("GET", "v1/notifications", token=people.ada.token, **DATA_ACCESS)).json
    kinds = [each["resource_type"] for each in told["items"]]
    assert sorted(kinds) == ["break_glass_access", "user_export", "user_export"]
    path = f"v1/user-exports/{whole['id']}/content"
    problem(await api("GET", path, token=api.token("Admin")), 403, "break_glass_over")
    await end(database)
    problem(await api("GET", path, token=people.admin), 403, "break_glass_over")
    assert SECRET in await text_of(api, whole["id"], people.ada.token)
    # A person who asks for their own gets no notification.
    await export(api, people, people.ada.token)
    again = (await api("GET", "v1/notifications", token=people.ada.token, **DATA_ACCESS)).json
    assert len(again["items"]) == 3


async def test_the_export_of_the_person_read_holds_what_others_archived(
    api: Caller, people: People, enter: Enter, drive: Drive
) -> None:
    boss = api.person(people.bob.oid, "Admin")
    enter(people.ada, "Steering", 2, 9)
    enter(people.ada, SECRET, 3, 9, sensitivity="private")
    source = f"msgraph://{people.ada.address}/calendar"
    configuration = str(
        (await create(api, people.bob, token=boss, time_zone="UTC", source=source)).json["id"]
    )
    listed = await api("GET", "v1/mailbox-approvals", token=people.auditor)
    approval = listed.json["items"][0]["id"]
    await api("POST", f"v1/mailbox-approvals/{approval}/approve", token=people.admin)
    await archive(api, configuration, boss, drive)
    asked = (await export(api, people, people.ada.token)).json
    async with api.app.people.exports.acting_for(UUID(asked["id"])):
        await api.app.people.exports.prepare(UUID(asked["id"]))
    got = await api("GET", f"v1/user-exports/{asked['id']}/content", token=people.ada.token)
    with zipfile.ZipFile(io.BytesIO(got.body)) as file:
        rows = [json.loads(line) for line in file.read("archived-by-others.jsonl").splitlines()]
        asked_for = [json.loads(line) for line in file.read("approvals-of-others.jsonl").splitlines()]
    # As it is held there: of private events the times alone.
    assert sorted(row["subject"] for row in rows) == ["Private", "Steering"]
    assert {row["configuration_id"] for row in rows} == {configuration}
    assert [row["id"] for row in asked_for] == [approval]
