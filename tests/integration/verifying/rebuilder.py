"""Deletes archive calendars and has them rebuilt, without the host."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.expected_version import ANY_VERSION
from shared.domain.runs.archive_run import RunMode
from shared.errors import Conflict
from tests.integration.archiving.simulated_mailbox import ADDRESS, event
from tests.integration.archiving.world import DAY, World
from tests.integration.verifying.verifier import Verifier


def meetings(count: int) -> list[dict[str, Any]]:
    return [event(f"Meeting {n}", DAY + timedelta(hours=n), 30) for n in range(count)]


def drop_calendar(world: World, name: str = "Archive") -> None:
    """Its owner deletes the calendar with everything in it."""
    mailbox = world.simulator.state.find_mailbox(ADDRESS)
    assert mailbox is not None
    calendar = next(each for each in mailbox.calendars.values() if each.name == name)
    world.simulator.state.remove_calendar(calendar)


def names(world: World) -> list[str]:
    """The calendars of the mailbox."""
    mailbox = world.simulator.state.find_mailbox(ADDRESS)
    assert mailbox is not None
    return sorted(each.name for each in mailbox.calendars.values())


async def ask(verifier: Verifier) -> UUID:
    """Ask for the calendar; the run that fills it."""
    world = verifier.world
    with telemetry.bind(caller=world.admin, correlation="rebuild"):
        started = await verifier.app.archiving.rebuild_requests.rebuild(
            world.admin, world.configuration_id, ANY_VERSION
        )
    return started.run.id


async def rebuild(verifier: Verifier) -> dict[str, Any]:
    """Ask for it and let the run do it; its report."""
    run_id = await ask(verifier)
    await verifier.run(run_id)
    run = (await verifier.world.view(run_id)).run
    assert run.mode == RunMode.REBUILD
    return {**(run.report or {}), "state": run.state}


async def refusal(verifier: Verifier) -> str:
    with pytest.raises(Conflict) as refused:
        await ask(verifier)
    return refused.value.code


async def configuration(world: World) -> ArchiveConfiguration:
    async with world.database.session() as session:
        return await session.get_one(ArchiveConfiguration, world.configuration_id)


async def nothing_left_to_do(verifier: Verifier) -> None:
    """Exactly one copy of everything, and neither a run nor a verification finds a difference."""
    world = verifier.world
    assert set((await world.copies_by_key()).values()) <= {1}
    assert await verifier.found(await verifier.verify()) == []
    writes = world.counts()["writes"]
    report = await world.archive()
    assert (report["state"], report["archived"], report["updated"]) == ("completed", 0, 0)
    assert world.counts()["writes"] == writes
