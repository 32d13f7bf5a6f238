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
from tests.integration.archiving.worker import client, workflow  # noqa: F401 - fixtures
from tests.integration.archiving.world import World


@pytest.fixture
async def world(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[World]:
    """A simulator, a database and short waits; call ``open`` with the source events."""
    simulator = GraphSimulator()
    await simulator.start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.base_url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", simulator.settings.identity_header)
    # Times that keep their order (lease > batch) but let a test live through them.
    short = {
        "graph_base_url": f"{simulator.base_url}/v1.0",
        "mailbox_lease_seconds": 3.0,
        "batch_timeout_seconds": 2.0,
        "settle_lookup_delay_seconds": 1.0,
    }
    keys = PersonKeys(FolderKeyStore(tmp_path / "keys"), SystemClock())
    world = World(simulator, database, settings.model_copy(update=short), keys)
    try:
        yield world
    finally:
        if hasattr(world, "graph"):
            await world.close()
        await keys.close()
        await simulator.stop()
