"""A change at one instance takes effect at the others in time (design.md, What an instance remembers).

Each instance is an application of its own with its own pool and caches. They share the database, the
simulator and a clock that the test moves.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, override
from uuid import UUID, uuid4

import pytest

from infra.local.graph_simulator import GraphSimulator
from infra.local.graph_simulator.loading.mailboxes import Loader
from shared.application import Application, use_application
from shared.clock import SystemClock
from shared.composition.foundations import Foundations
from shared.database.engine import Database
from shared.services.approvals.sign_ins import ASKED_EVERY
from shared.services.identity.further_tenants import KNOWN_AFTER
from shared.services.operation.rate_limit import RateLimit
from shared.services.operation.system_settings import KEPT_FOR
from shared.settings import Settings
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People, on_simulator
from tests.integration.api.test_archive_configurations import create

SETTINGS = "v1/system/settings"
RANGE: dict[str, Any] = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}
WINDOW = {"window_start": RANGE["window_start"], "window_end": RANGE["window_end"]}


class StandingClock(SystemClock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    @override
    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        """Jump ahead."""
        self.moment += by


class Instance(Caller):
    """One instance of the app. Requests follow one another: the app in use is a global of the process."""

    @override
    async def __call__(self, *arguments: Any, **named: Any) -> Response:
        before = use_application(self.app)
        try:
            return await super().__call__(*arguments, **named)
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
    given = on_simulator(simulator, database_url=url)
    apps = [Application(Foundations(given, clock=clock)) for _ in range(3)]
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


async def test_a_person_just_invited_gets_access_at_an_instance_that_refused_them(
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


async def test_a_deactivation_is_in_force_at_once(instances: list[Instance], people: People) -> None:
    async def answers() -> list[int]:
        path = "v1/appointments"
        return [(await at("GET", path, token=people.ada.token, **RANGE)).status for at in instances]

    assert await answers() == [200] * 3
    for at, active, expected in ((instances[0], False, 403), (instances[1], True, 200)):
        changed = await at(
            "PATCH",
            f"v1/users/{people.ada.id}",
            {"active": active},
            token=people.admin,
            headers={"if-match": "*"},
        )
        assert changed.status == 200, changed.json
        assert await answers() == [expected] * 3


async def test_changed_settings_are_in_force_at_once_where_they_were_made_and_elsewhere_in_time(
    instances: list[Instance], people: People, clock: StandingClock
) -> None:
    async def nightly_at(at: Caller) -> str:
        return str((await at("GET", "v1/me", token=people.ada.token)).json["defaults"]["nightly_at"])

    assert [await nightly_at(at) for at in instances] == ["02:00"] * 3
    await choose(instances[0], people.admin, nightly_at="04:30", max_archive_configurations=1)
    assert await nightly_at(instances[0]) == "04:30"
    # What stays in a configuration is taken from the new ones at once.
    made = await create(instances[1], people.ada)
    assert made.json["schedule"] == {"kind": "daily", "at": "04:30"}
    clock.advance(KEPT_FOR)
    assert [await nightly_at(at) for at in instances] == ["04:30"] * 3
    second = {"name": "Second", "archive": f"msgraph://{people.ada.address}/calendars/Team"}
    problem(await create(instances[2], people.ada, **second), 422, "limit_reached")


class TestApprovals:
    """Bob, an Admin, archives Ada's calendar with the approval of another Admin."""

    @pytest.fixture
    def boss(self, api: Caller, people: People) -> str:
        return api.person(people.bob.oid, "Admin")

    @pytest.fixture
    async def over_ada(
        self, instances: list[Instance], people: People, boss: str, monkeypatch: pytest.MonkeyPatch
    ) -> str:
        async def start(client: object, run_id: UUID) -> None:
            return

        monkeypatch.setattr(started_runs, "start_archive_run", start)
        for at in instances:
            at.durable = object()
        mailbox = instances[0].simulator.state.find_mailbox(str(people.ada.oid))
        assert mailbox is not None
        event = {
            "subject": "Steering",
            "start": {"dateTime": "2026-03-02T09:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-03-02T10:00:00", "timeZone": "UTC"},
        }
        loader = Loader(instances[0].simulator.state, instances[0].simulator.settings)
        loader.load_events(mailbox.default_calendar, [event])
        source = f"msgraph://{people.ada.address}/calendar"
        made = await create(instances[0], people.bob, token=boss, time_zone="UTC", source=source)
        assert made.status == 201, made.json
        await self.approve(instances[1], people)
        return str(made.json["id"])

    async def newest(self, at: Caller, people: People) -> dict[str, Any]:
        listed = (await at("GET", "v1/mailbox-approvals", token=people.auditor)).json["items"]
        found: dict[str, Any] = max(listed, key=lambda each: each["created_at"])
        return found

    async def approve(self, at: Caller, people: People) -> str:
        approval = str((await self.newest(at, people))["id"])
        given = await at("POST", f"v1/mailbox-approvals/{approval}/approve", token=people.admin)
        assert given.status == 200, given.json
        return approval

    async def start(self, at: Caller, archive: str, token: str) -> Response:
        return await at("POST", f"v1/archive-configurations/{archive}/runs", WINDOW, token=token)

    async def seen(self, at: Caller, token: str) -> list[str]:
        listed = await at("GET", "v1/appointments", token=token, **RANGE)
        return [each["subject"] for each in listed.json["items"]]

    async def test_one_that_is_withdrawn_opens_nothing_anywhere_and_stops_a_run_elsewhere(
        self, instances: list[Instance], people: People, boss: str, over_ada: str
    ) -> None:
        run = UUID((await self.start(instances[1], over_ada, boss)).json["id"])
        archiving = instances[1].app.archiving.service
        async with archiving.acting_for(run):
            await archiving.begin(run)
            await archiving.reconcile(run, 0)
            await archiving.plan(run)
        approval = (await self.newest(instances[2], people))["id"]
        withdrawn = await instances[0](
            "POST", f"v1/mailbox-approvals/{approval}/withdraw", {"reason": "moved"}, token=people.admin
        )
        assert withdrawn.status == 200, withdrawn.json
        async with archiving.acting_for(run):
            while (await archiving.apply(run)).remaining:
                pass
            await archiving.finish(run)
        report = (await instances[2]("GET", f"v1/archive-runs/{run}", token=people.admin)).json
        assert (report["status"], report["report"]["archived"]) == ("cancelled", 0)
        for at in instances:
            problem(await self.start(at, over_ada, boss), 409, "mailbox_not_permitted")
            assert await self.seen(at, boss) == []

    async def test_the_role_is_followed_at_whatever_instance_it_shows(
        self, instances: list[Instance], people: People, boss: str, over_ada: str, clock: StandingClock
    ) -> None:
        # The first instance saw the role just now; without it Bob shows up at the second one.
        await instances[1]("GET", "v1/appointments", token=people.bob.token, **RANGE)
        assert (await self.newest(instances[2], people))["status"] == "lapsed"
        # The role is back at the first one: the new approval rests on a sighting, and lapses again.
        for wait in (timedelta(seconds=1), ASKED_EVERY):
            clock.advance(wait)
            asked = await instances[0](
                "POST", f"v1/archive-configurations/{over_ada}/approval", {"days": 30}, token=boss
            )
            assert asked.status == 202, asked.json
            await self.approve(instances[2], people)
            await instances[2].app.people.approval_watch.run()
            assert (await self.newest(instances[2], people))["status"] == "approved"
            clock.advance(ASKED_EVERY)
            await instances[1]("GET", "v1/appointments", token=people.bob.token, **RANGE)
            assert (await self.newest(instances[2], people))["status"] == "lapsed"


async def test_a_further_tenant_gets_access_soon_and_loses_it_at_once(
    instances: list[Instance], people: People, clock: StandingClock
) -> None:
    tenant = str(uuid4())
    token = instances[0].token("Admin", tenant=tenant)

    async def answers() -> list[int]:
        return [(await at("GET", "v1/users", token=token)).status for at in instances]

    assert await answers() == [401] * 3
    body = {"id": tenant, "name": "Contoso"}
    assert (await instances[0]("POST", "v1/tenants", body, token=people.admin)).status == 201
    clock.advance(KNOWN_AFTER + timedelta(milliseconds=1))
    assert await answers() == [200] * 3
    shut = await instances[1](
        "PATCH", f"v1/tenants/{tenant}", {"active": False}, token=people.admin, headers={"if-match": "*"}
    )
    assert shut.status == 200
    assert await answers() == [401] * 3


async def test_a_new_signing_key_is_found_by_each_instance_at_first_use(
    instances: list[Instance], people: People
) -> None:
    for at in instances:
        assert (await at("GET", "v1/me", token=people.ada.token)).status == 200
    instances[0].simulator.identity.keys.rotate()
    newer = instances[0].person(people.ada.oid)
    for at in instances:
        for token in (newer, people.ada.token):
            assert (await at("GET", "v1/me", token=token)).status == 200


async def test_each_instance_counts_the_requests_of_a_caller_for_itself(
    instances: list[Instance], people: People, clock: StandingClock
) -> None:
    for at in instances:
        at.app.people.rate_limit = RateLimit(1, 2, clock)
    for at in instances:
        answers = [(await at("GET", "v1/me", token=people.ada.token)).status for _ in range(3)]
        assert answers == [200, 200, 429]
    clock.advance(timedelta(seconds=1))
    for at in instances:
        assert (await at("GET", "v1/me", token=people.ada.token)).status == 200
