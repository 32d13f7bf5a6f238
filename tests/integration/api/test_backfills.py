"""Backfills over HTTP (domain.md 2.14)."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.domain.backfilling.backfill import first_of_previous_month
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import PATH, create


@pytest.fixture
def started(api: Caller, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The runs whose orchestration was started, in place of the Durable host."""
    runs: list[UUID] = []

    async def start(client: object, run_id: UUID) -> None:
        runs.append(run_id)

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    return runs


async def made(api: Caller, people: People, **fields: Any) -> str:
    response = await create(api, people.ada, time_zone="UTC", **fields)
    assert response.status == 201, response.json
    return f"{PATH}/{response.json['id']}/backfill"


async def test_an_old_beginning_is_left_to_a_backfill_behind_the_first_night(
    api: Caller, people: People, started: list[UUID], database: Database
) -> None:
    path = await made(api, people, archive_from="2024-05-15")
    found = (await api("GET", path, token=people.auditor)).json
    nights = first_of_previous_month(datetime.now(UTC).date())
    months = (nights.year - 2024) * 12 + nights.month - 5
    assert (found["status"], found["months_total"], found["progress"]) == ("waiting", months, 0)
    assert (found["window_start"], found["window_end"]) == ("2024-05-15T00:00:00Z", f"{nights}T00:00:00Z")
    async with database.session() as session:
        jobs = {job.kind: job for job in (await session.execute(select(Job))).scalars()}
    assert jobs["backfill"].next_run_at == jobs["archive"].next_run_at
    runs = path.replace("backfill", "runs")
    night = (await api("POST", runs, token=people.ada.token)).json
    assert night["window_start"] == f"{nights}T00:00:00Z"
    assert started == [UUID(night["id"])]


async def test_the_usual_beginning_needs_none(api: Caller, people: People, started: list[UUID]) -> None:
    path = await made(api, people)
    problem(await api("GET", path, token=people.ada.token), 404, "no_backfill")
    response = await api("POST", path, token=people.ada.token)
    problem(response, 422)
    assert response.json["errors"][0]["code"] == "nothing_to_backfill"


async def test_it_is_started_from_a_day_paused_and_resumed(
    api: Caller, people: People, started: list[UUID], database: Database
) -> None:
    path = await made(api, people)
    response = await api("POST", path, {"archive_from": "2026-01-10"}, token=people.ada.token)
    assert response.status == 202, response.json
    assert response.headers["location"] == f"/api/{path}"
    assert started == [UUID(response.json["run_id"])]
    run = (await api("GET", f"v1/archive-runs/{started[0]}", token=people.ada.token)).json
    assert (run["kind"], run["window_start"], run["window_end"]) == (
        "backfill",
        "2026-01-10T00:00:00Z",
        "2026-02-01T00:00:00Z",
    )
    for _ in range(2):
        paused = await api("POST", f"{path}/pause", token=people.ada.token)
        assert (paused.status, paused.json["status"]) == (200, "paused")
    resumed = await api("POST", f"{path}/resume", token=people.ada.token)
    assert (resumed.status, resumed.json["status"]) == (202, "waiting")
    # The month in progress continues.
    assert len(started) == 1
    async with database.session() as session:
        configuration = (await session.execute(select(ArchiveConfiguration))).scalar_one()
        assert configuration.archive_from == date(2026, 1, 10)
    problem(await api("POST", path, token=people.bob.token), 404)


async def test_an_earlier_beginning_before_the_first_night_moves_the_backfill(
    api: Caller, people: People, started: list[UUID], database: Database
) -> None:
    path = await made(api, people, archive_from="2024-05-15")
    configuration = path.removesuffix("/backfill")
    headers = {"if-match": "*"}
    change = {"archive_from": "2023-05-15"}
    assert (await api("PATCH", configuration, change, token=people.ada.token, headers=headers)).status == 200
    found = (await api("GET", path, token=people.ada.token)).json
    assert found["window_start"] == "2023-05-15T00:00:00Z"
    later = {"archive_from": datetime.now(UTC).date().isoformat()}
    assert (await api("PATCH", configuration, later, token=people.ada.token, headers=headers)).status == 200
    found = (await api("GET", path, token=people.ada.token)).json
    assert (found["status"], found["progress"]) == ("completed", 100)
    async with database.session() as session:
        await session.execute(update(ArchiveConfiguration).values(archived_until=datetime.now(UTC)))
    response = await api("PATCH", configuration, change, token=people.ada.token, headers=headers)
    problem(response, 422)
    assert (await api("POST", path, change, token=people.ada.token)).status == 202
