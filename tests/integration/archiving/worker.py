"""The app over a real database and mailbox as the worker has it, and turns of its timer."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from shared.application import Application, use_application
from shared.composition.foundations import Foundations
from shared.database.models.runs import ArchiveRun
from shared.triggers import archive_workflow, timers
from tests.integration.archiving.durable import RecordingClient, function_of
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World

#: Seconds between two turns of the timer.
TICK = 30


@pytest.fixture
async def workflow(world: World) -> AsyncIterator[World]:
    """A mailbox with three events, and the app over it as the worker's own."""
    await world.open([event(f"Meeting {n}", DAY + timedelta(hours=n)) for n in range(3)])
    app = Application(
        Foundations(world.settings, clock=world.clock, database=world.database, calendars=world.calendars)
    )
    before = use_application(app)
    yield world
    use_application(before)
    await app.close()


@pytest.fixture
def client() -> RecordingClient:
    return RecordingClient()


async def activity(name: str, given: Any, *more: Any) -> Any:
    """Run an activity as the worker does."""
    return await function_of(getattr(archive_workflow, f"{name}_archive_run"))(given, *more)


async def tick(client: RecordingClient) -> None:
    """One turn of the timer."""
    await function_of(timers.dispatch)(None, client)


async def one_run(world: World) -> ArchiveRun:
    """The only run there is."""
    async with world.database.session() as session:
        return (await session.execute(select(ArchiveRun))).scalar_one()


def started(client: RecordingClient) -> list[str]:
    """The instances that were started."""
    assert all(name == "archive_calendar" for name, _, _ in client.started)
    assert all(instance == f"archive-{given['run_id']}" for _, given, instance in client.started)
    return [instance for _, _, instance in client.started]
