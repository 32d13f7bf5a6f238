"""Verifications over HTTP (domain.md 2.15)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.runs.archive_run import RunState
from shared.triggers.http import started_runs, verifications
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import PATH, create
from tests.support.factories import START, Factory


@pytest.fixture
def started(api: Caller, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """What was started in place of the Durable host."""
    ids: list[UUID] = []

    async def start(client: object, some_id: UUID) -> None:
        ids.append(some_id)

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    monkeypatch.setattr(verifications, "start_orchestration", start)
    return ids


@pytest.fixture
async def configuration(api: Caller, people: People, database: Database) -> UUID:
    """Ada's configuration, of which a day in March is archived."""
    made = UUID((await create(api, people.ada)).json["id"])
    async with database.session() as session:
        row = await session.get_one(ArchiveConfiguration, made)
        now = datetime.now(UTC)
        await Factory(session).run(
            row,
            state=RunState.COMPLETED,
            window_start=START,
            window_end=START + timedelta(days=1),
            planned_at=now,
            plan={},
            finished_at=now,
        )
    return made


async def test_it_is_accepted_found_at_its_location_and_not_started_twice(
    api: Caller, people: People, started: list[UUID], configuration: UUID
) -> None:
    path = f"{PATH}/{configuration}/verifications"
    asked = await api("POST", path, token=people.ada.token)
    assert asked.status == 202, asked.json
    assert asked.headers["location"] == f"/api/v1/verifications/{asked.json['id']}"
    assert (asked.json["status"], asked.json["found"]) == ("queued", None)
    again = await api("POST", path, token=people.ada.token)
    assert again.json["id"] == asked.json["id"]
    assert started == [UUID(asked.json["id"])]
    read = await api("GET", f"v1/verifications/{asked.json['id']}", token=people.auditor)
    assert (read.json, read.headers["retry-after"]) == (asked.json, "1")
    listed = await api("GET", path, token=people.ada.token)
    assert [each["id"] for each in listed.json["items"]] == [asked.json["id"]]
    problem(await api("GET", path, token=people.bob.token), 404)
    other = {"window_start": "2026-03-02T00:00:00Z", "window_end": "2026-12-02T00:00:00Z"}
    problem(await api("POST", path, other, token=people.ada.token), 409, "verification_in_progress")


async def test_what_is_not_archived_is_not_verified(
    api: Caller, people: People, started: list[UUID], configuration: UUID
) -> None:
    path = f"{PATH}/{configuration}/verifications"
    before = {"window_start": "2025-03-01T00:00:00Z", "window_end": "2025-03-02T00:00:00Z"}
    response = await api("POST", path, before, token=people.ada.token)
    problem(response, 422)
    assert response.json["errors"][0]["code"] == "range_empty"
    half = await api("POST", path, {"window_start": "2026-03-01T00:00:00Z"}, token=people.ada.token)
    problem(half, 422)
    assert started == []


async def test_findings_are_paged_and_told_by_kind(
    api: Caller, people: People, configuration: UUID, database: Database
) -> None:
    async with database.session() as session:
        make, row = Factory(session), await session.get_one(ArchiveConfiguration, configuration)
        verified = await make.verification(row, counts={"missing": 4, "edited": 1})
        for _ in range(4):
            await make.finding(verified, await make.archived_event(row))
        edit = {"kind": "edited", "reason": "content_differs", "detail": {"fields": ["subject"]}}
        event = await make.archived_event(row)
        appointment = await make.appointment(event, subject="Surgeon", sensitivity="private")
        await make.finding(verified, event, **edit)
    found = (await api("GET", f"v1/verifications/{verified.id}", token=people.ada.token)).json["found"]
    assert found == {"missing": 4, "edited": 1, "doubled": 0, "unknown": 0, "source_changed": 0}
    path, seen, cursor = f"v1/verifications/{verified.id}/findings", list[str](), None
    while True:
        query: Any = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api("GET", path, token=people.ada.token, **query)).json
        seen += [each["id"] for each in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert len(seen) == len(set(seen)) == 5
    (only,) = (await api("GET", path, token=people.ada.token, kind="edited")).json["items"]
    assert (only["fields"], only["status"]) == (["subject"], "open")
    assert (only["subject"], only["appointment_id"]) == ("Surgeon", str(appointment.id))
    others = (await api("GET", path, token=people.admin)).json["items"]
    (hidden,) = [each for each in others if each["id"] == only["id"]]
    assert (hidden["subject"], hidden["appointment_id"], hidden["kind"]) == ("Private", None, None)
    assert hidden["start"] == only["start"]
    problem(await api("GET", path, token=people.ada.token, kind="whatever"), 422)
    problem(await api("GET", path, token=people.bob.token), 404)


async def test_a_finding_is_acted_on_where_it_is_read(
    api: Caller, people: People, started: list[UUID], configuration: UUID, database: Database
) -> None:
    async with database.session() as session:
        make, row = Factory(session), await session.get_one(ArchiveConfiguration, configuration)
        verified = await make.verification(row)
        event = await make.archived_event(row, start_at=START)
        await make.appointment(event)
        finding = await make.finding(verified, event)
    below = f"v1/verifications/{verified.id}/findings"
    for elsewhere in (f"v1/verifications/{uuid4()}/findings/{finding.id}", f"{below}/{uuid4()}"):
        problem(await api("POST", f"{elsewhere}/put-back", token=people.ada.token), 404)
    problem(await api("POST", f"{below}/{finding.id}/put-back", token=people.bob.token), 404)
    problem(await api("POST", f"{below}/{finding.id}/adopt", token=people.ada.token), 409)
    response = await api("POST", f"{below}/{finding.id}/put-back", token=people.ada.token)
    assert response.status == 202, response.json
    assert (response.json["mode"], started) == ("put_back", [UUID(response.json["id"])])
    assert response.headers["location"] == f"/api/v1/archive-runs/{response.json['id']}"
