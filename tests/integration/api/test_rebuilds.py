"""A deleted archive calendar is offered back over HTTP (domain.md 1)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People, Person
from tests.integration.api.test_archive_configurations import PATH, create


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


def drop_calendar(api: Caller, person: Person, name: str = "Archive") -> None:
    mailbox = api.simulator.state.find_mailbox(person.address)
    assert mailbox is not None
    calendar = next(each for each in mailbox.calendars.values() if each.name == name)
    api.simulator.state.remove_calendar(calendar)


async def test_the_calendar_is_made_again_and_its_run_is_found(
    api: Caller, people: People, database: Database, started: list[UUID]
) -> None:
    made = (await create(api, people.ada)).json
    path = f"{PATH}/{made['id']}"
    there = await api("POST", f"{path}/rebuild", token=people.ada.token)
    problem(there, 409, "archive_calendar_exists")
    drop_calendar(api, people.ada)
    async with database.session() as session:
        gone = datetime(2026, 3, 2, tzinfo=UTC)
        await session.execute(update(ArchiveConfiguration).values(archive_gone_since=gone))
    offered = (await api("GET", path, token=people.ada.token)).json
    assert offered["archive_gone_since"] == "2026-03-02T00:00:00Z"
    answer = await api("POST", f"{path}/rebuild", token=people.ada.token, headers={"if-match": '"1"'})
    assert answer.status == 202, answer.json
    (run_id,) = started
    assert answer.headers["location"] == f"/api/v1/archive-runs/{run_id}"
    assert (answer.json["mode"], answer.json["reason_code"]) == ("rebuild", None)
    changed = (await api("GET", path, token=people.ada.token)).json
    assert changed["archive_calendar_id"] != made["archive_calendar_id"]
    assert (changed["archive"], changed["version"]) == (made["archive"], 2)
    again = await api("POST", f"{path}/rebuild", token=people.ada.token)
    assert (again.status, again.json["id"], len(started)) == (202, str(run_id), 1)
    stale = await api("POST", f"{path}/rebuild", token=people.ada.token, headers={"if-match": '"1"'})
    problem(stale, 412)


async def test_an_admin_may_and_a_stranger_learns_nothing(
    api: Caller, people: People, started: list[UUID]
) -> None:
    made = (await create(api, people.ada)).json
    drop_calendar(api, people.ada)
    path = f"{PATH}/{made['id']}/rebuild"
    problem(await api("POST", path, token=people.bob.token), 404, "not_found")
    problem(await api("POST", path, token=people.auditor), 403, "role_missing")
    assert started == []
    assert (await api("POST", path, token=people.admin)).status == 202


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"active": False}, "conflict"),
        ({"archive_mailbox_id": UUID(int=9), "archive_person_id": None}, "mailbox_not_permitted"),
        ({"archive_reference": "msgraph://ada@example.com/calendar"}, "not_rebuildable"),
    ],
)
async def test_what_cannot_be_rebuilt_makes_no_calendar(
    api: Caller,
    people: People,
    database: Database,
    started: list[UUID],
    changes: dict[str, Any],
    code: str,
) -> None:
    made = (await create(api, people.ada)).json
    drop_calendar(api, people.ada)
    async with database.session() as session:
        await session.execute(update(ArchiveConfiguration).values(**changes))
    problem(await api("POST", f"{PATH}/{made['id']}/rebuild", token=people.ada.token), 409, code)
    mailbox = api.simulator.state.find_mailbox(people.ada.address)
    assert mailbox is not None
    assert "Archive" not in [each.name for each in mailbox.calendars.values()]
    assert started == []
