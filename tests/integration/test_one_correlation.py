"""One correlation id from the HTTP request to the last row that the run writes (domain.md 7.1)."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from infra.local.graph_simulator import GraphSimulator
from infra.local.graph_simulator.loading.mailboxes import Loader
from shared import telemetry
from shared.application import Application, use_application
from shared.composition.foundations import Foundations
from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.audit.audit import AuditFilter, AuditRepository
from shared.domain.identity.caller import Caller as DomainCaller
from shared.settings import Settings
from shared.triggers import archive_workflow
from tests.integration.api.caller import TENANT, Caller, problem
from tests.integration.api.conftest import on_simulator
from tests.integration.archiving.durable import RecordingClient, function_of

CORRELATION = "from-the-request-to-the-last-row"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
WINDOW = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-03-09T00:00:00Z"}


@pytest.fixture
async def simulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GraphSimulator]:
    simulator = GraphSimulator()
    simulator.settings.tenant_id = str(TENANT)
    await simulator.start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.base_url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", simulator.settings.identity_header)
    yield simulator
    await simulator.stop()


@pytest.fixture
async def api(simulator: GraphSimulator, database: Database, settings: Settings) -> AsyncIterator[Caller]:
    """The app over a database and a mailbox, with a durable client that records what it is to start."""
    url = settings.database_url.get_secret_value()
    app = Application(Foundations(on_simulator(simulator, database_url=url), database=database))
    before = use_application(app)
    caller = Caller(simulator, app)
    caller.durable = RecordingClient()
    yield caller
    use_application(before)
    await app.close()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every line logged, Graph's requests included, as the product's log handlers are set up."""
    caplog.handler.addFilter(telemetry.CorrelationFilter())
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "httpx")
    caplog.set_level(logging.DEBUG, "shared.graph.client")
    return caplog


def _event(number: int) -> dict[str, Any]:
    start = START + timedelta(hours=number)
    return {
        "subject": f"Meeting {number}",
        "start": {"dateTime": start.replace(tzinfo=None).isoformat(), "timeZone": "UTC"},
        "end": {
            "dateTime": (start + timedelta(minutes=30)).replace(tzinfo=None).isoformat(),
            "timeZone": "UTC",
        },
    }


def _told(log: pytest.LogCaptureFixture, what: str, *loggers: str) -> list[str]:
    """What the lines of these loggers say of themselves."""
    return [getattr(record, what) for record in log.records if record.name.startswith(loggers)]


async def _activity(name: str, given: Any, *more: Any) -> Any:
    return await function_of(getattr(archive_workflow, f"{name}_archive_run"))(given, *more)


async def _orchestrated(api: Caller, run_id: str) -> None:
    """The activities of the orchestration that was started, one after another."""
    ((_, given, _),) = api.durable.started
    assert given == {"run_id": run_id}
    # Activities run in another process: nothing of the request's context is left there.
    assert telemetry.correlation_id.get() == ""
    begun = await _activity("begin", run_id)
    assert begun == {"mine": True, "correlation_id": CORRELATION, "patient": True}
    await _activity("settle", {"run_id": run_id, "attempt": 0})
    await _activity("plan", run_id)
    await _activity("apply", run_id)
    ended = await _activity("finish", {"run_id": run_id, "reason": None}, api.durable)
    assert ended == {"state": "completed"}


async def test_one_correlation_id_runs_through_every_room_of_the_house(
    api: Caller, simulator: GraphSimulator, database: Database, log: pytest.LogCaptureFixture
) -> None:
    calendars = [
        {"name": "Calendar", "is_default": True, "events": [_event(number) for number in range(3)]},
        {"name": "Archive"},
    ]
    loader = Loader(simulator.state, simulator.settings)
    oid = UUID(loader.load_mailbox({"address": "ada@example.com", "calendars": calendars})["oid"])
    admin = api.token("Admin", oid="aaaaaaaa-0000-4000-8000-000000000001")
    user = await api("POST", "v1/users", {"address": "ada@example.com"}, token=admin)
    body = {
        "user_id": user.json["id"],
        "name": "Main",
        "source": "msgraph://ada@example.com/calendar",
        "archive": "msgraph://ada@example.com/calendars/Archive",
        "time_zone": "UTC",
    }
    configuration = await api("POST", "v1/archive-configurations", body, token=admin)
    assert configuration.status == 201, configuration.json
    ada, headers = api.person(oid), {"x-correlation-id": CORRELATION}

    # The API: header and body.
    log.clear()
    path = f"v1/archive-configurations/{configuration.json['id']}/runs"
    accepted = await api("POST", path, WINDOW, token=ada, headers=headers)
    assert accepted.status == 202, accepted.json
    assert accepted.headers["x-correlation-id"] == CORRELATION
    assert accepted.json["correlation_id"] == CORRELATION
    assert _told(log, "correlation_id", "shared.") == [CORRELATION]

    # The orchestration: every line its activities log, down to each request to Graph.
    log.clear()
    run_id = accepted.json["id"]
    await _orchestrated(api, run_id)
    assert any("$batch" in record.getMessage() for record in log.records)
    assert set(_told(log, "correlation_id", "httpx", "shared.graph")) == {CORRELATION}
    assert set(_told(log, "actor", "httpx", "shared.graph")) == {f"user:{oid}"}

    # The service.
    owner = DomainCaller.user(TENANT, oid)
    view = await api.app.archiving.service.get_run(owner, UUID(run_id))
    assert (view.run.correlation_id, view.run.report and view.run.report["archived"]) == (CORRELATION, 3)

    # The repositories: the run's row, and every audit row since the request, with any writer.
    async with database.session() as session:
        run = await ArchiveRunRepository(session).get(TENANT, UUID(run_id))
        assert run is not None
        assert run.correlation_id == CORRELATION
        found = await AuditRepository(session).search(
            TENANT, AuditFilter(correlation_id=CORRELATION), None, 100
        )
        others = select(AuditEntry).where(AuditEntry.correlation_id != CORRELATION)
        before = (await session.execute(others)).scalars().all()
    assert {entry.action for entry in found} == {
        "archive_run.requested",
        "archive_run.planned",
        "archive_run.batch",
        "archive_run.completed",
    }
    assert {entry.actor for entry in found} == {f"user:{oid}"}
    assert all(entry.resource_id == run_id for entry in found)
    assert all(entry.resource_id != run_id for entry in before)

    # Who asks again, under another id, is told the run's own; a refusal names the request's in both places.
    again = {"x-correlation-id": "another"}
    read = await api("GET", f"v1/archive-runs/{run_id}", token=ada, headers=again)
    assert (read.headers["x-correlation-id"], read.json["correlation_id"]) == ("another", CORRELATION)
    refused = await api("POST", path, {**WINDOW, "window_end": "?"}, token=ada, headers=headers)
    assert problem(refused, 422)["correlation_id"] == CORRELATION
