"""The world of one test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.local.graph_simulator import GraphSimulator
from shared.clock import SystemClock
from shared.database.engine import Database
from shared.services.person_keys.keys import PersonKeys
from shared.services.person_keys.stores import FolderKeyStore
from shared.settings import Settings
from tests.integration.api.conftest import api, people, simulator
from tests.integration.calendars.world import LocalWorld

__all__ = ["api", "people", "simulator"]


@pytest.fixture
async def world(
    simulator: GraphSimulator, database: Database, settings: Settings, tmp_path: Path
) -> AsyncIterator[LocalWorld]:
    """A simulator, a database and short waits; call ``open_with`` with the source events."""
    short = {
        "graph_base_url": f"{simulator.base_url}/v1.0",
        "mailbox_lease_seconds": 3.0,
        "batch_timeout_seconds": 2.0,
        "settle_lookup_delay_seconds": 1.0,
    }
    keys = PersonKeys(FolderKeyStore(tmp_path / "keys"), SystemClock())
    world = LocalWorld(simulator, database, settings.model_copy(update=short), keys)
    yield world
    if hasattr(world, "graph"):
        await world.close()
    await keys.close()
