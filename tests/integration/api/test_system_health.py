"""The system at a glance: every part is told apart, none holds the others up, and nothing secret is said."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.database.engine import Database
from shared.domain.runs.archive_run import RunState
from shared.errors import Unavailable
from shared.services.operation import system_health
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.support.factories import Factory
from tests.support.settings import make_settings

PATH = "v1/system/health"
NAMES = {
    *("database", "graph", "token_service", "storage", "durable", "durable_backlog", "job_lateness", "mail"),
    "archive_runs",
}


class Durable:
    """A Durable backend that answers."""

    async def get_orchestration_state(self, instance_id: str, *, fetch_payloads: bool = True) -> None:
        assert instance_id.startswith("health-")


class SteppedClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock(api: Caller) -> SteppedClock:
    clock = SteppedClock()
    api.app.foundations.clock = clock
    api.durable = Durable()
    return clock


async def look(api: Caller, token: str | None = None) -> dict[str, Any]:
    response = await api("GET", PATH, token=token or api.token("Admin"))
    assert response.status == 200, response.json
    found: dict[str, Any] = response.json
    return found


def parts(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in report["components"]}


async def test_a_whole_system_is_healthy(api: Caller, clock: SteppedClock, people: People) -> None:
    for token in (people.admin, people.auditor, api.token("Auditor", app_only=True)):
        report = await look(api, token)
        assert report["status"] == "healthy", report
    found = parts(report)
    assert set(found) == NAMES
    for part in found.values():
        assert part["status"] == "healthy"
        assert part["last_success_at"] is not None
        assert part["last_error"] is None
    assert report["schema_revision"] == report["schema_expected"]
    assert report["version"] == "0.1.0"
    problem(await api("GET", PATH, token=people.ada.token), 403, "role_missing")


async def test_a_store_that_is_away_is_told_and_none_at_all_is_no_fault(
    api: Caller, clock: SteppedClock
) -> None:
    health = api.app.operation.system_health

    async def away() -> None:
        raise Unavailable("the storage cannot be read or written")

    health._stores = (away,)
    assert parts(await look(api))["storage"]["last_error"] == "Unavailable"
    clock.time += timedelta(seconds=6)
    health._stores = ()
    report = await look(api)
    assert (report["status"], parts(report)["storage"]["status"]) == ("healthy", "not_configured")


async def test_it_is_asked_once_for_a_crowd_and_again_after_seconds(api: Caller, clock: SteppedClock) -> None:
    asked: list[str] = []
    answer = api.app.foundations.calendars.get_mailbox

    async def get_mailbox(mailbox: str) -> Any:
        asked.append(mailbox)
        return await answer(mailbox)

    api.app.foundations.calendars.get_mailbox = get_mailbox  # type: ignore[method-assign]
    await asyncio.gather(*(look(api) for _ in range(10)))
    await look(api)
    assert len(asked) == 1
    clock.time += timedelta(seconds=6)
    await look(api)
    assert len(asked) == 2


async def test_what_fails_is_told_apart_and_remembered(api: Caller, clock: SteppedClock) -> None:
    await look(api)
    before = clock.time
    clock.time += timedelta(minutes=1)
    token = api.token("Admin")
    await api.simulator.stop()
    report = await look(api, token)
    assert report["status"] == "failing"
    found = parts(report)
    assert {name for name, part in found.items() if part["status"] == "failing"} == {"graph", "token_service"}
    assert found["graph"]["last_error"] == "StoreUnavailable"
    assert datetime.fromisoformat(found["graph"]["last_success_at"]) == before
    assert datetime.fromisoformat(found["graph"]["last_error_at"]) == clock.time
    assert "127.0.0.1" not in str(report)


async def test_a_part_that_hangs_holds_nothing_up(
    api: Caller, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_health, "PATIENCE", 0.3)

    class Hanging(Durable):
        async def get_orchestration_state(self, instance_id: str, *, fetch_payloads: bool = True) -> None:
            await asyncio.Event().wait()

    api.durable = Hanging()
    found = parts(await look(api))
    assert found["durable"]["last_error"] == "TimeoutError"
    assert found["database"]["status"] == "healthy"


async def test_without_a_database_it_still_answers_and_names_no_address(stranger: Caller) -> None:
    stranger.durable = object()
    database = Database(make_settings(database_url="postgresql://app:hunter2@127.0.0.1:1/none"))
    stranger.app.foundations.database = database
    response = await stranger("GET", PATH, token=stranger.token("Admin"))
    await database.close()
    assert response.status == 200
    found = parts(response.json)
    assert response.json["status"] == "failing"
    assert found["database"]["last_error"] == "Unavailable"
    assert found["durable"]["last_error"] == "AttributeError"
    assert found["token_service"]["status"] == "healthy"
    assert b"hunter2" not in response.body
    assert b"127.0.0.1" not in response.body


async def test_work_that_waits_too_long_is_told(api: Caller, clock: SteppedClock, database: Database) -> None:
    now = clock.time
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration()
        await make.run(configuration, created_at=now - timedelta(minutes=20))
        await make.run(configuration, created_at=now - timedelta(days=2), dispatched_at=now)
        await make.run(configuration, state=RunState.RUNNING)
        await make.job(configuration, next_run_at=now - timedelta(hours=2), consecutive_failures=1)
        foreign = await make.user(tenant_id="99999999-9999-4999-8999-999999999999")
        other = await make.configuration(foreign)
        await make.run(other, created_at=now - timedelta(days=3))
        await make.job(other, next_run_at=now - timedelta(days=3))
    report = await look(api)
    assert report["status"] == "degraded"
    found = parts(report)
    backlog, late = found["durable_backlog"], found["job_lateness"]
    assert (backlog["status"], late["status"]) == ("degraded", "degraded")
    assert backlog["measures"] == {"waiting": 1, "running": 1, "oldest_seconds": 1200}
    assert late["measures"] == {"due": 1, "oldest_seconds": 7200, "failing": 1, "paused_by_failures": 0}
    clock.time += timedelta(hours=23)
    assert {part["status"] for part in parts(await look(api)).values()} >= {"failing"}


@pytest.mark.parametrize(
    ("state", "hours", "told"),
    [
        (RunState.FAILED, 1, "degraded"),
        (RunState.COMPLETED_WITH_ERRORS, 1, "degraded"),
        (RunState.COMPLETED, 1, "healthy"),
        (RunState.FAILED, 25, "healthy"),
    ],
)
async def test_a_run_that_ended_with_trouble_is_told_for_a_day(
    api: Caller,
    people: People,
    database: Database,
    clock: SteppedClock,
    state: RunState,
    hours: int,
    told: str,
) -> None:
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration()
        await make.run(configuration, state=state, finished_at=clock.now() - timedelta(hours=hours))
    report = await look(api)
    assert (report["status"], parts(report)["archive_runs"]["status"]) == (told, told)


async def test_late_work_of_every_tenant_is_counted_in_one_warning(
    api: Caller, clock: SteppedClock, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await api.app.operation.late_work.tell()
    assert not [record for record in caplog.records if record.getMessage() == "work is late"]
    now = clock.time
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration()
        await make.run(configuration, created_at=now - timedelta(minutes=20))
        await make.job(configuration, next_run_at=now - timedelta(minutes=10))
        foreign = await make.user(tenant_id="99999999-9999-4999-8999-999999999999")
        other = await make.configuration(foreign)
        await make.job(other, next_run_at=now - timedelta(hours=2))
    await api.app.operation.late_work.tell()
    (told,) = (record for record in caplog.records if record.getMessage() == "work is late")
    assert (vars(told)["overdue_jobs"], vars(told)["waiting_runs"]) == (1, 1)
