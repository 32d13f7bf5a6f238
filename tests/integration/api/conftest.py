"""The app on the simulator's tokens and mailboxes, with and without a database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from infra.local.graph_simulator import GraphSimulator
from shared.application import Application, use_application
from shared.composition.foundations import Foundations
from shared.database.engine import Database
from shared.settings import Settings
from tests.integration.api.caller import AUDIENCE, TENANT, Caller
from tests.support.settings import make_settings

#: The mailbox that the system sends mail from, once a test makes it.
SENDER = "assistant@example.com"


@pytest.fixture
async def simulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GraphSimulator]:
    simulator = GraphSimulator()
    simulator.settings.tenant_id = str(TENANT)
    await simulator.start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.base_url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", simulator.settings.identity_header)
    yield simulator
    await simulator.stop()


def on_simulator(simulator: GraphSimulator, **more: object) -> Settings:
    """Settings whose token service and Graph are the simulator."""
    return make_settings(
        tenant_id=TENANT,
        api_audience=AUDIENCE,
        authority=simulator.base_url,
        v1_issuer=simulator.base_url,
        graph_base_url=f"{simulator.base_url}/v1.0",
        cors_origins=("https://pages.example",),
        mail_sender=SENDER,
        **more,
    )


@pytest.fixture
async def stranger(simulator: GraphSimulator) -> AsyncIterator[Caller]:
    """A client of an app without a database: for what must be refused before anything is read."""
    app = Application(Foundations(on_simulator(simulator)))
    before = use_application(app)
    yield Caller(simulator, app)
    use_application(before)
    await app.close()


@pytest.fixture
async def api(
    simulator: GraphSimulator, database: Database, settings: Settings, tmp_path: Path
) -> AsyncIterator[Caller]:
    """A client of the whole app."""
    url = settings.database_url.get_secret_value()
    app = Application(
        Foundations(
            on_simulator(simulator, database_url=url, storage=str(tmp_path / "storage")), database=database
        )
    )
    before = use_application(app)
    yield Caller(simulator, app)
    use_application(before)
    await app.close()


@dataclass(frozen=True)
class Person:
    """A user of the API with their token."""

    id: UUID
    oid: UUID
    address: str
    token: str


@dataclass(frozen=True)
class People:
    """Two users of the tenant, and an Admin and an Auditor who are none."""

    ada: Person
    bob: Person
    admin: str
    auditor: str


@pytest.fixture
async def people(api: Caller) -> People:
    admin = api.token("Admin", oid="aaaaaaaa-0000-4000-8000-000000000001")
    found = []
    for name in ("ada", "bob"):
        address = f"{name}@example.com"
        oid = api.mailbox(address, "Archive", "Team")
        created = await api("POST", "v1/users", {"address": address}, token=admin)
        assert created.status == 201, created.json
        found.append(Person(UUID(created.json["id"]), oid, address, api.person(oid)))
    auditor = api.token("Auditor", oid="aaaaaaaa-0000-4000-8000-000000000002")
    return People(found[0], found[1], admin, auditor)
