"""The world of archiving, with the app over it."""

from collections.abc import AsyncIterator

import pytest

from shared.application import Application, use_application
from shared.composition.foundations import Foundations
from tests.integration.archiving.conftest import world
from tests.integration.archiving.durable import RecordingClient
from tests.integration.archiving.world import World
from tests.integration.verifying.verifier import Verifier

__all__ = ["world"]


@pytest.fixture
async def verifier(world: World) -> AsyncIterator[Verifier]:
    """Verifies the world's archive; open the world first."""
    app = Application(Foundations(world.settings, clock=world.clock, database=world.database))
    app.foundations.person_keys = world.person_keys
    before = use_application(app)
    yield Verifier(world, app)
    use_application(before)
    await app.close()


@pytest.fixture
def client() -> RecordingClient:
    return RecordingClient()
