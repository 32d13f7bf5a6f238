"""What is changed at one instance is in force at the others in time (design.md, What an instance remembers).

Each instance is an application of its own with its own pool and caches; they share the database, the
simulator and a clock that stands still until it is moved.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, override

import pytest

from infra.local.graph_simulator import GraphSimulator
from shared.application import Application, use_application
from shared.clock import SystemClock
from shared.database.engine import Database
from shared.settings import Settings
from tests.integration.api.caller import HOST, Caller, Response, problem
from tests.integration.api.conftest import on_simulator

SETTINGS = "v1/system/settings"


class StandingClock(SystemClock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    @override
    def now(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        """Jump ahead."""
        self.moment += timedelta(**by)


class Instance(Caller):
    """One instance of the app. Requests follow one another: the app in use is a global of the process."""

    @override
    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        host: str = HOST,
        **query: Any,
    ) -> Response:
        before = use_application(self.app)
        try:
            return await super().__call__(
                method, path, body, token=token, headers=headers, host=host, **query
            )
        finally:
            use_application(before)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def instances(
    simulator: GraphSimulator, database: Database, settings: Settings, clock: StandingClock
) -> AsyncIterator[list[Instance]]:
    url = settings.database_url.get_secret_value()
    apps = [Application(on_simulator(simulator, database_url=url), clock=clock) for _ in range(3)]
    yield [Instance(simulator, app) for app in apps]
    for app in apps:
        await app.close()


@pytest.fixture
def api(instances: list[Instance]) -> Caller:
    """The first instance, for the fixtures that need only one."""
    return instances[0]


@pytest.fixture
def admin(api: Caller) -> str:
    return api.token("Admin", oid="aaaaaaaa-0000-4000-8000-000000000001")


async def choose(at: Caller, admin: str, **values: Any) -> None:
    changed = await at("PATCH", SETTINGS, values, token=admin, headers={"if-match": "*"})
    assert changed.status == 200, changed.json


async def test_who_was_just_invited_is_let_in_by_an_instance_that_refused_them(
    instances: list[Instance], api: Caller, admin: str
) -> None:
    tokens = [api.person(api.mailbox(f"{name}@example.com")) for name in ("grace", "joan", "eve")]
    for at in instances:
        for token in tokens:
            problem(await at("GET", "v1/me", token=token), 403, "not_provisioned")
    await choose(instances[0], admin, first_sign_in="invitation")
    for name in ("grace", "joan"):
        address = {"address": f"{name}@example.com"}
        assert (await instances[1]("POST", "v1/invitations", address, token=admin)).status == 201
    assert (await instances[2]("GET", "v1/me", token=tokens[0])).status == 200
    for at in instances:
        assert (await at("GET", "v1/me", token=tokens[0])).status == 200
        problem(await at("GET", "v1/me", token=tokens[2]), 403, "not_provisioned")
    # And nobody any more, at once and everywhere, when it is switched off.
    await choose(instances[0], admin, first_sign_in=None)
    for at in instances:
        problem(await at("GET", "v1/me", token=tokens[1]), 403, "not_provisioned")
