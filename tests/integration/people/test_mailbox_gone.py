"""A mailbox that is gone or lost its licence pauses its jobs at once (domain.md 15.1)."""

from sqlalchemy import select

from shared.database.models.audit import AuditEntry
from tests.integration.archiving.conftest import world
from tests.integration.archiving.simulated_mailbox import ADDRESS
from tests.integration.archiving.test_runs import week
from tests.integration.archiving.world import World

__all__ = ["world"]


async def test_a_mailbox_without_a_licence_pauses_its_job_at_once(world: World) -> None:
    await world.open(week(1))
    await world.add_job()
    world.simulator.state.mailbox(ADDRESS).enabled = False
    for _ in range(2):
        await world.archive()
    paused, _ = await world.job()
    assert paused
    async with world.database.session() as session:
        actions = (await session.execute(select(AuditEntry.action))).scalars().all()
    assert "job.paused" in actions
