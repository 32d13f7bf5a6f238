"""Jobs are locked before their verifications, both when one is inserted and when it ends."""

import asyncio

from sqlalchemy import text, update

from shared.database.models.verifications import Verification
from shared.database.repositories.jobs.jobs import JobRepository
from tests.integration.archiving.world import World
from tests.integration.verifying.verifier import Verifier, meetings
from tests.support.locks import until_blocked


async def test_the_end_of_a_verification_waits_for_its_jobs_with_empty_hands(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(1))
    await world.archive()
    await world.add_job()
    job = (await world.rows("SELECT id FROM jobs"))[0]["id"]
    asked = await verifier.request()
    async with world.database.session() as session:
        await session.execute(update(Verification).values(job_id=job))
    async with world.database.session() as dispatcher:
        await JobRepository(dispatcher).hold(asked.owner_id, asked.configuration_id)
        ending = asyncio.create_task(verifier.drive(asked.id))
        await until_blocked(world.database, ending)
        held = text("SELECT id FROM verifications WHERE id = :id FOR UPDATE NOWAIT")
        assert (await dispatcher.execute(held, {"id": asked.id})).scalar_one() == asked.id
    assert (await ending).state == "completed"
