"""Everything we store about a person, in one file, for the person and for Admins (domain.md 15.2)."""

import io
import json
import zipfile
from typing import Any
from uuid import UUID

import icalendar
import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.people import UserExport
from shared.database.models.users import User
from shared.database.repositories.people.person_data import holdings
from shared.services.people import export_writing, exporting
from shared.services.people.export_files import file_name
from shared.triggers import timers
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.archiving.durable import function_of
from tests.integration.archiving.world import SteppableClock
from tests.integration.people import everything
from tests.support.factories import Factory


async def exported(api: Caller, people: People, token: str) -> Any:
    """Ask for Ada's export and let it be prepared; its resource."""
    asked = await api("POST", f"v1/users/{people.ada.id}/exports", token=token)
    assert asked.status == 202, asked.json
    assert asked.json["status"] == "queued"
    await api.durable.prepare_export()
    return (await api("GET", f"v1/user-exports/{asked.json['id']}", token=token)).json


async def content(api: Caller, export_id: str, token: str) -> zipfile.ZipFile:
    """The whole file, part by part."""
    whole, offset = b"", 0
    while True:
        part = await api("GET", f"v1/user-exports/{export_id}/content", token=token, offset=offset)
        assert part.status == 200, part.body
        assert part.headers["content-type"] == "application/zip"
        whole += part.body
        if "x-next-offset" not in part.headers:
            assert part.headers["x-total-length"] == str(len(whole))
            return zipfile.ZipFile(io.BytesIO(whole))
        offset = int(part.headers["x-next-offset"])


def rows(archive: zipfile.ZipFile, table: str) -> list[Any]:
    return [json.loads(line) for line in archive.read(file_name(table)).splitlines()]


async def ada_with_everything(api: Caller, people: People, database: Database) -> None:
    async with database.session() as session:
        user = await session.get_one(User, people.ada.id)
    await everything.fill(database, user)


#: An erasure is not filled in; who signs in without the role was no Admin a moment ago (domain.md 6.5).
NOT_IN_IT = ("user_erasures", "admin_sightings")


async def test_the_export_holds_their_rows_of_every_table(
    api: Caller, people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PART_BYTES", 1000)
    await ada_with_everything(api, people, database)
    # Bob's are not in it.
    async with database.session() as session:
        bob = await session.get_one(User, people.bob.id)
        make = Factory(session)
        await make.appointment(await make.archived_event(await make.configuration(bob)), subject="Bob's own")
    export = await exported(api, people, people.ada.token)
    assert export["status"] == "ready"
    archive = await content(api, export["id"], people.ada.token)
    assert archive.testzip() is None
    for holding in holdings():
        found = rows(archive, holding.name)
        assert found or holding.name in NOT_IN_IT, f"nothing of {holding.name}"
    assert rows(archive, "users")[0]["address"] == people.ada.address
    assert rows(archive, "local_events")[0]["subject"] == f"{everything.SECRET} in local_events.subject"
    assert "Bob's own" not in b"".join(archive.read(name) for name in archive.namelist()).decode()
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["person"] == str(people.ada.id)
    assert manifest["rows"]["profile.jsonl"] == 1
    assert export["rows"] == sum(manifest["rows"].values())


async def test_the_audit_in_it_can_be_read(api: Caller, people: People) -> None:
    path = f"v1/users/{people.ada.id}"
    await api("PATCH", path, {"display_name": "Augusta"}, token=people.admin, headers={"if-match": "*"})
    export = await exported(api, people, people.admin)
    archive = await content(api, export["id"], people.admin)
    changed = [row for row in rows(archive, "audit_entries") if row["action"] == "user.updated"]
    assert changed[0]["changes"]["after"]["display_name"] == "Augusta"


async def test_appointments_are_a_calendar_too(api: Caller, people: People, database: Database) -> None:
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        await make.appointment(await make.archived_event(configuration), subject="Review; a, b\nc")
        event = await make.archived_event(configuration)
        day = event.start_at.replace(hour=0)
        await make.appointment(event, subject="Holiday", is_all_day=True, start_at=day, end_at=day)
        consumed = await make.archived_event(configuration)
        await make.appointment(consumed, subject="Extended", excluded="consumed")
    export = await exported(api, people, people.ada.token)
    archive = await content(api, export["id"], people.ada.token)
    calendar = icalendar.Calendar.from_ical(archive.read("appointments.ics"))
    events: dict[str, Any] = {str(event["summary"]): event for event in calendar.walk("VEVENT")}
    assert events.keys() == {"Review; a, b\nc", "Holiday", "Extended"}
    told = {row["subject"]: (row["counts"], row["reason_code"]) for row in rows(archive, "appointments")}
    assert told == {
        "Review; a, b\nc": (True, None),
        "Holiday": (False, "all_day"),
        "Extended": (False, "consumed"),
    }
    reasons = {subject: each.get("x-admin-assistant-reason-code") for subject, each in events.items()}
    assert reasons == {subject: reason for subject, (_, reason) in told.items()}
    assert events["Holiday"]["dtstart"].dt.isoformat() == "2026-03-02"
    assert str(events["Review; a, b\nc"]["attendee"]) == "mailto:bob@example.com"


async def test_who_may_ask_for_it_and_have_it(api: Caller, people: People) -> None:
    export = await exported(api, people, people.ada.token)
    content = f"v1/user-exports/{export['id']}/content"
    for path in (f"v1/user-exports/{export['id']}", content):
        problem(await api("GET", path, token=people.bob.token), 404, "not_found")
        problem(await api("GET", path, token=people.auditor), 403, "role_missing")
        assert (await api("GET", path, token=people.ada.token)).status == 200
    # It holds private events whole. An Admin sees that it is there, and asks for one of their own.
    problem(await api("GET", content, token=people.admin), 403, "own_export")
    asked = await exported(api, people, people.admin)
    assert (await api("GET", f"v1/user-exports/{asked['id']}/content", token=people.admin)).status == 200
    problem(await api("POST", f"v1/users/{people.ada.id}/exports", token=people.bob.token), 404)
    audit = await api("GET", "v1/audit", token=people.admin, resource_type="user_export")
    assert sorted(row["action"] for row in audit.json["items"]) == [
        *("user_export.downloaded", "user_export.downloaded"),
        *("user_export.prepared", "user_export.prepared"),
        *("user_export.requested", "user_export.requested"),
    ]


async def test_one_at_a_time_and_not_before_it_is_ready(api: Caller, people: People) -> None:
    path = f"v1/users/{people.ada.id}/exports"
    first = await api("POST", path, token=people.ada.token)
    again = await api("POST", path, token=people.admin)
    assert again.json["id"] == first.json["id"]
    assert len(api.durable.started) == 1
    early = await api("GET", f"v1/user-exports/{first.json['id']}/content", token=people.ada.token)
    problem(early, 409, "export_not_ready")


async def test_preparing_twice_leaves_one_file_and_one_that_lost_its_orchestration_is_found(
    api: Caller, people: People, clock: SteppableClock
) -> None:
    asked = (await api("POST", f"v1/users/{people.ada.id}/exports", token=people.ada.token)).json
    exports = api.app.people.exports
    assert await exports.to_drive() == []
    clock.advance(seconds=30)
    assert await exports.to_drive() == [UUID(asked["id"])]
    api.durable.started.clear()
    await function_of(timers.dispatch)(None, api.durable)
    assert [name for name, _, _ in api.durable.started] == ["export_user"]
    for _ in range(2):
        async with exports.acting_for(UUID(asked["id"])):
            assert await exports.prepare(UUID(asked["id"])) == "ready"
    assert api.app.foundations.storage is not None
    assert len([file async for file in api.app.foundations.storage.files("exports/")]) == 1
    assert await exports.to_drive() == []


async def test_it_is_deleted_after_its_time(
    api: Caller, people: People, database: Database, clock: SteppableClock
) -> None:
    export = await exported(api, people, people.ada.token)
    assert await api.app.people.exports.sweep() == 0
    clock.advance(days=15)
    problem(await api("GET", f"v1/user-exports/{export['id']}", token=people.ada.token), 404)
    assert await api.app.people.exports.sweep() == 1
    assert api.app.foundations.storage is not None
    assert [file async for file in api.app.foundations.storage.files("exports/")] == []
    async with database.session() as session:
        assert (await session.execute(select(UserExport))).first() is None


async def test_without_storage_it_is_said(api: Caller, people: People) -> None:
    api.app.people.exports._given_storage = None
    answer = await api("POST", f"v1/users/{people.ada.id}/exports", token=people.ada.token)
    problem(answer, 503, "storage_not_set")


async def test_the_file_grows_piece_by_piece(
    api: Caller, people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_writing, "PAGE_ROWS", 10)
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        for number in range(60):
            body = "".join(f"{number * 7919 + place:x}" for place in range(2000))
            await make.appointment(await make.archived_event(configuration), body=body)
    assert api.app.foundations.storage is not None
    write, sizes = api.app.foundations.storage.write, []

    async def counted(name: str, content: Any) -> Any:
        async def chunks() -> Any:
            async for chunk in content:
                sizes.append(len(chunk))
                yield chunk

        return await write(name, chunks())

    monkeypatch.setattr(api.app.foundations.storage, "write", counted)
    export = await exported(api, people, people.ada.token)
    assert export["size_bytes"] == sum(sizes)
    assert max(sizes) < export["size_bytes"] / 4
    archive = await content(api, export["id"], people.ada.token)
    assert len(rows(archive, "appointments")) == 60
