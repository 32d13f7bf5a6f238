"""Jobs are locked before their runs, both when a run is inserted and when it ends."""

import asyncio

from sqlalchemy import text

from shared.database.repositories.jobs.jobs import JobRepository
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World
from tests.support.locks import until_blocked


async def test_the_end_of_a_run_waits_for_its_jobs_with_empty_hands(world: World) -> None:
    """It held the run and waited for the job, while a backfill begun held the job and waited for the run."""
    await world.open([event("Meeting", DAY)])
    await world.add_job()
    run = await world.request()
    await world.plan(run.id)
    await world.apply(run.id)
    async with world.database.session() as dispatcher:
        await JobRepository(dispatcher).hold(run.owner_id, run.configuration_id)
        ending = asyncio.create_task(world.finish(run.id))
        await until_blocked(world.database, ending)
        held = text("SELECT id FROM archive_runs WHERE id = :run FOR UPDATE NOWAIT")
        assert (await dispatcher.execute(held, {"run": run.id})).scalar_one() == run.id
    assert (await ending).state == "completed"


async def test_a_plan_that_finds_the_archive_again_waits_for_its_jobs_with_empty_hands(world: World) -> None:
    """The dispatcher claims a job first and then keeps its configuration as it is."""
    await world.open([event("Meeting", DAY)], archive_gone_since=DAY)
    await world.add_job()
    run = await world.request()
    async with world.database.session() as dispatcher:
        await JobRepository(dispatcher).hold(run.owner_id, run.configuration_id)
        planning = asyncio.create_task(world.plan(run.id))
        await until_blocked(world.database, planning)
        kept = text("SELECT id FROM archive_configurations FOR SHARE NOWAIT")
        assert (await dispatcher.execute(kept)).scalar_one() == run.configuration_id
    await planning
    gone = "SELECT id FROM archive_configurations WHERE archive_gone_since IS NOT NULL"
    assert await world.rows(gone) == []
