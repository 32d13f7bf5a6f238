"""Archive runs over HTTP: asked for, found again, looked at by those who may."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People, Person
from tests.integration.api.test_archive_configurations import create

WINDOW = {"window_start": "2026-02-01T00:00:00+01:00", "window_end": "2026-03-01T00:00:00+01:00"}


@pytest.fixture
def started(api: Caller, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The runs whose orchestration was started, in place of the Durable host."""
    runs: list[UUID] = []

    async def start(client: object, run_id: UUID) -> None:
        assert client is api.durable
        runs.append(run_id)

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    return runs


@pytest.fixture
async def configuration(api: Caller, people: People) -> str:
    made = await create(api, people.ada)
    return str(made.json["id"])


def runs_of(configuration: str) -> str:
    return f"v1/archive-configurations/{configuration}/runs"


async def test_a_run_is_accepted_and_found_at_its_location(
    api: Caller, people: People, started: list[UUID], configuration: str
) -> None:
    headers = {"x-correlation-id": "run-it"}
    response = await api("POST", runs_of(configuration), WINDOW, token=people.ada.token, headers=headers)
    assert response.status == 202, response.json
    run = response.json
    assert response.headers["location"] == f"/api/v1/archive-runs/{run['id']}"
    assert response.headers["retry-after"] == "1"
    assert (run["window_start"], run["window_end"]) == ("2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z")
    assert (run["status"], run["kind"], run["correlation_id"]) == ("queued", "manual", "run-it")
    assert started == [UUID(run["id"])]
    read = await api("GET", f"v1/archive-runs/{run['id']}", token=people.ada.token)
    assert read.json == run
    assert read.headers["retry-after"] == "1"


async def test_the_same_window_again_is_the_same_run(
    api: Caller, people: People, started: list[UUID], configuration: str
) -> None:
    first = await api("POST", runs_of(configuration), WINDOW, token=people.ada.token)
    again = await api("POST", runs_of(configuration), WINDOW, token=people.admin)
    other = await api(
        "POST", runs_of(configuration), {**WINDOW, "window_end": "2026-02-02T00:00:00Z"}, token=people.admin
    )
    assert again.status == 202
    assert again.json["id"] == first.json["id"]
    assert other.json["id"] != first.json["id"]
    assert started == [UUID(first.json["id"]), UUID(other.json["id"])]


async def test_without_a_window_it_is_the_next_nights(
    api: Caller, people: People, started: list[UUID], configuration: str
) -> None:
    bodies: tuple[dict[str, Any] | None, ...] = (None, {})
    for body in bodies:
        response = await api("POST", runs_of(configuration), body, token=people.ada.token)
        assert response.status == 202, response.json
    assert len(started) == 1


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"window_start": WINDOW["window_end"], "window_end": WINDOW["window_start"]}, "window_end"),
    ({"window_start": WINDOW["window_start"], "window_end": WINDOW["window_start"]}, "window_end"),
    ({"window_start": WINDOW["window_start"]}, "window_end"),
    ({"window_end": WINDOW["window_end"]}, "window_start"),
    ({**WINDOW, "window_start": "2026-02-01"}, "window_start"),
    ({**WINDOW, "window_start": "2026-02-01T00:00:00"}, "window_start"),
    ({**WINDOW, "window_start": 1_770_000_000}, "window_start"),
    ({**WINDOW, "window_start": "0001-01-01T00:00:00+14:00"}, "window_start"),
    ({**WINDOW, "window_end": "2027-03-09T00:00:00Z"}, "window_end"),
    ({**WINDOW, "replace": True}, "replace"),
]


async def test_a_wrong_window_is_422_naming_it_and_nothing_is_started(
    api: Caller, people: People, started: list[UUID], configuration: str, database: Database
) -> None:
    for body, field in WRONG:
        response = await api("POST", runs_of(configuration), body, token=people.ada.token)
        problem(response, 422, "validation_failed")
        assert response.fields == [field], body
    assert started == []
    async with database.session() as session:
        assert (await session.execute(select(func.count()).select_from(ArchiveRun))).scalar_one() == 0


async def test_an_inactive_configuration_starts_nothing(
    api: Caller, people: People, started: list[UUID], configuration: str, database: Database
) -> None:
    async with database.session() as session:
        (await session.get_one(ArchiveConfiguration, UUID(configuration))).active = False
    problem(await api("POST", runs_of(configuration), WINDOW, token=people.ada.token), 409, "conflict")
    assert started == []


async def test_who_may_start_and_see_a_run(
    api: Caller, people: People, started: list[UUID], configuration: str
) -> None:
    bob: Person = people.bob
    application = api.token("User", app_only=True, oid=str(people.ada.oid))
    for token in (bob.token, application):
        problem(await api("POST", runs_of(configuration), WINDOW, token=token), 404, "not_found")
    problem(await api("POST", runs_of(configuration), WINDOW, token=people.auditor), 403, "role_missing")
    assert started == []
    run = (await api("POST", runs_of(configuration), WINDOW, token=people.admin)).json
    assert run["user_id"] == str(people.ada.id)
    for token in (people.ada.token, people.admin, people.auditor):
        assert (await api("GET", f"v1/archive-runs/{run['id']}", token=token)).status == 200
    for token in (bob.token, application):
        problem(await api("GET", f"v1/archive-runs/{run['id']}", token=token), 404, "not_found")
    problem(await api("GET", f"v1/archive-runs/{uuid4()}", token=people.admin), 404, "not_found")
