"""Many callers at once, some of them gone in the middle: nobody sees, or is taken for, another."""

import asyncio
import logging
import random
from collections import Counter
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.users import User
from tests.integration.api.caller import TENANT, Caller
from tests.support.catalog import busy_connections
from tests.support.factories import Factory
from tests.support.postgres import TestDatabase

pytestmark = pytest.mark.slow

CALLERS = 20
REQUESTS = 200
RANGE = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}


@pytest.fixture
async def people(api: Caller, database: Database) -> list[tuple[User, ArchiveConfiguration]]:
    """Everyone with a calendar, a configuration and an appointment that contain a word of their own."""
    oids = [api.mailbox(f"p{number}@example.com", f"Word{number:03}") for number in range(CALLERS)]
    async with database.session() as session:
        make = Factory(session)
        found = []
        for number in range(CALLERS):
            user = await make.user(
                object_id=oids[number], address=f"p{number}@example.com", display_name=f"Word{number:03}"
            )
            configuration = await make.configuration(user, name=f"Word{number:03}")
            await make.job(configuration)
            await make.appointment(await make.archived_event(configuration), subject=f"Word{number:03}")
            found.append((user, configuration))
        return found


class Person:
    """One caller's stream of requests."""

    def __init__(self, api: Caller, number: int, user: User, configuration: ArchiveConfiguration) -> None:
        self._api = api
        self._random = random.Random(number)
        self._token = api.person(user.object_id)
        self._user, self._configuration = user, configuration
        self._word = f"Word{number:03}"
        self.outcomes: Counter[Any] = Counter()

    async def run(self) -> None:
        for turn in range(REQUESTS):
            request = asyncio.create_task(self._request(turn))
            if self._random.random() < 0.15:
                await asyncio.sleep(self._random.random() * 0.02)
                request.cancel()
            try:
                self.outcomes[await request] += 1
            except asyncio.CancelledError:
                self.outcomes["cancelled"] += 1

    async def _request(self, turn: int) -> int:
        correlation = f"{self._word}-{turn}"
        headers = {"x-correlation-id": correlation}
        method, path, body, query = self._wish(turn, headers)
        response = await self._api(method, path, body, token=self._token, headers=headers, **query)
        assert response.headers["x-correlation-id"] == correlation
        text = response.body.decode()
        if response.status == 200:
            assert self._word in text
        others = {f"Word{number:03}" for number in range(CALLERS)} - {self._word}
        assert not [word for word in others if word in text]
        return response.status

    def _wish(self, turn: int, headers: dict[str, str]) -> tuple[str, str, Any, dict[str, Any]]:
        own = f"v1/archive-configurations/{self._configuration.id}"
        if self._random.random() < 0.05:
            # Asked of Graph on behalf of the caller: one token for all of the caller's requests.
            return "GET", f"v1/users/{self._user.id}/calendars", None, {}
        kind = self._random.randrange(5)
        if kind == 0:
            return "GET", "v1/users", None, {}
        if kind == 1:
            return "GET", "v1/appointments", None, RANGE
        if kind == 2:
            return "GET", own, None, {}
        headers["if-match"] = "*"
        if kind == 3:
            headers["idempotency-key"] = f"key-{turn}"
        return "PATCH", own, {"lookback_days": self._random.randrange(61)}, {}


async def test_nobody_sees_or_is_taken_for_another(
    api: Caller,
    people: list[tuple[User, ArchiveConfiguration]],
    database: Database,
    worker_database: TestDatabase,
    caplog: pytest.LogCaptureFixture,
) -> None:
    api.app.people.rate_limit = cast(Any, Unlimited())
    delegated = watch_tokens(api)
    persons = [Person(api, number, *each) for number, each in enumerate(people)]
    with caplog.at_level(logging.INFO, "shared"):
        await asyncio.gather(*(person.run() for person in persons))
    outcomes = sum((person.outcomes for person in persons), Counter())
    assert set(outcomes) <= {200, "cancelled"}, outcomes
    assert outcomes[200] > CALLERS * REQUESTS / 2
    assert outcomes["cancelled"] > 0

    assert {user for user, _ in delegated} == {str(user.object_id) for user, _ in people}
    assert all(path.startswith(f"/users/{user}/") for user, path in delegated)
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert await busy_connections(worker_database.admin, "test") == 0
    actors = {user.id: f"user:{user.object_id}" for user, _ in people}
    async with database.session() as session:
        entries = list((await session.execute(select(AuditEntry))).scalars())
        configurations = list((await session.execute(select(ArchiveConfiguration))).scalars())
        jobs = list((await session.execute(select(Job))).scalars())
    assert len(jobs) == CALLERS
    words = {user.id: user.display_name for user, _ in people}
    for entry in entries:
        assert isinstance(entry.on_behalf_of, UUID)
        assert entry.actor == actors[entry.on_behalf_of]
        assert entry.tenant_id == TENANT
        assert entry.correlation_id.startswith(words[entry.on_behalf_of])
    # Every change counts the version once, and leaves one row.
    changes = Counter(entry.resource_id for entry in entries)
    assert {str(row.id): row.version - 1 for row in configurations} == {
        str(row.id): changes[str(row.id)] for row in configurations
    }
    seen = 0
    for record in caplog.records:
        own = getattr(record, "correlation_id", "").partition("-")[0]
        if own in words.values():
            told = str(vars(record))
            assert not [word for word in words.values() if word != own and word in told]
            seen += 1
    assert seen >= outcomes[200]


def watch_tokens(api: Caller) -> list[tuple[str, str]]:
    """Whose token every delegated call of Graph carries, and what it asks for."""
    seen: list[tuple[str, str]] = []
    locate = api.simulator.service.routes.locate

    def watched(call: Any) -> None:
        if call.caller.user is not None:
            seen.append((call.caller.user, call.path))
        locate(call)

    api.simulator.service.routes.locate = watched  # type: ignore[method-assign]
    return seen


class Unlimited:
    """Lets everyone through: twenty callers are one machine's worth of patience."""

    def admit(self, caller: object) -> None:
        return
