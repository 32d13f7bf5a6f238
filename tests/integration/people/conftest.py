"""The whole app with keys and storage in folders, and a person with something in every table."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.local.graph_simulator import GraphSimulator
from shared.application import Application, use_application
from shared.composition.foundations import Foundations
from shared.database.engine import Database
from shared.settings import Settings
from tests.integration.api.caller import Caller
from tests.integration.api.conftest import on_simulator, people, simulator
from tests.integration.archiving.world import SteppableClock
from tests.integration.people.instances import Instances

__all__ = ["people", "simulator"]


@pytest.fixture
def clock() -> SteppableClock:
    return SteppableClock()


@pytest.fixture
async def api(
    simulator: GraphSimulator,
    database: Database,
    settings: Settings,
    tmp_path: Path,
    clock: SteppableClock,
) -> AsyncIterator[Caller]:
    url = settings.database_url.get_secret_value()
    given = on_simulator(
        simulator,
        database_url=url,
        person_key_store=str(tmp_path / "keys"),
        storage=str(tmp_path / "storage"),
    )
    app = Application(Foundations(given, database=database, clock=clock))
    before = use_application(app)
    caller = Caller(simulator, app)
    caller.durable = Instances()
    yield caller
    use_application(before)
    await app.close()
