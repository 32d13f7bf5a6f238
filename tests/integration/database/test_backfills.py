"""BackfillRepository, and which backfills may continue."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.verifications import Backfill
from shared.database.repositories.backfilling.backfills import BackfillRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.jobs.job import JobKind
from tests.support.factories import START, Factory


@pytest.fixture
def backfills(session: AsyncSession) -> BackfillRepository:
    return BackfillRepository(session)


async def test_a_configuration_has_one(backfills: BackfillRepository, make: Factory) -> None:
    configuration = await make.configuration()
    row = await make.backfill(configuration)
    assert await backfills.get(configuration.owner_id, configuration.id) is row
    assert await backfills.get((await make.user()).id, configuration.id) is None
    with pytest.raises(AlreadyExists):
        await backfills.add(
            Backfill(
                tenant_id=row.tenant_id,
                owner_id=row.owner_id,
                configuration_id=row.configuration_id,
                range_start=START,
                range_end=START,
                done_until=START,
                requested_by="system:test",
            )
        )


async def test_one_whose_month_is_in_progress_is_not_claimed(make: Factory, session: AsyncSession) -> None:
    configuration = await make.configuration()
    backfill, run = await make.backfill(configuration), await make.run(configuration)
    jobs = JobRepository(session)
    job = await jobs.get(configuration.owner_id, configuration.id, kind=JobKind.BACKFILL)
    assert job is not None
    job.paused = False
    assert await jobs.claim_due_unscoped(START, 10, JobKind.BACKFILL) == [job]
    assert await jobs.claim_due_unscoped(START, 10) == []
    backfill.run_id = run.id
    await session.flush()
    assert await jobs.claim_due_unscoped(START, 10, JobKind.BACKFILL) == []
