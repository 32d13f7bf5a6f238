"""JobRepository."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.engine import Database
from shared.database.models.configurations import Job
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.jobs.job import JobKind
from tests.support.factories import START, TENANT, Factory

HOUR = timedelta(hours=1)


@pytest.fixture
def jobs(session: AsyncSession) -> JobRepository:
    return JobRepository(session)


async def test_a_configuration_has_one_job(jobs: JobRepository, make: Factory) -> None:
    configuration = await make.configuration()

    def job() -> Job:
        return Job(
            tenant_id=TENANT,
            owner_id=configuration.owner_id,
            configuration_id=configuration.id,
            schedule={"kind": "daily", "at": "02:00"},
            time_zone="UTC",
            next_run_at=START,
        )

    added = await jobs.add(job())
    assert await jobs.get(configuration.owner_id, configuration.id) is added
    assert await jobs.get(uuid.uuid4(), configuration.id) is None
    with pytest.raises(AlreadyExists, match="job"):
        await jobs.add(job())


async def test_due_jobs_of_every_tenant_are_claimed_longest_overdue_first(
    jobs: JobRepository, make: Factory
) -> None:
    stranger = await make.user(tenant_id=uuid.uuid4())
    elsewhere = await make.job(await make.configuration(stranger), next_run_at=START - HOUR)
    here = await make.job(next_run_at=START)
    await make.job(next_run_at=START + HOUR)
    await make.job(next_run_at=START - HOUR, paused=True)
    await make.job(next_run_at=None)
    assert await jobs.claim_due_unscoped(START, 10) == [elsewhere, here]
    assert await jobs.claim_due_unscoped(START, 1) == [elsewhere]


async def test_a_job_that_was_moved_on_is_not_due(
    jobs: JobRepository, make: Factory, session: AsyncSession
) -> None:
    job = await make.job(next_run_at=START)
    await jobs.advance({job.id: START + HOUR})
    assert await jobs.claim_due_unscoped(START, 10) == []
    await jobs.advance({job.id: None})
    await session.refresh(job)
    assert job.next_run_at is None


async def test_two_dispatchers_never_claim_the_same_job(database: Database) -> None:
    async with database.session() as session:
        make = Factory(session)
        ids = {(await make.job()).id for _ in range(3)}
    async with database.session() as first, database.session() as second:
        one = await JobRepository(first).claim_due_unscoped(START, 2)
        other = await JobRepository(second).claim_due_unscoped(START, 10)
        assert len(one) == 2
        assert {job.id for job in one} | {job.id for job in other} == ids
        assert not {job.id for job in one} & {job.id for job in other}


async def test_failures_in_a_row_are_counted(jobs: JobRepository, make: Factory) -> None:
    job = await make.job()
    where = (job.owner_id, job.configuration_id)
    assert await jobs.record_outcome(*where, failed=True) == 1
    assert await jobs.record_outcome(*where, failed=True) == 2
    assert await jobs.record_outcome(*where, failed=False) == 0
    assert await jobs.record_outcome(uuid.uuid4(), job.configuration_id, failed=True) is None


async def test_a_pause_says_what_it_paused_and_without_a_kind_takes_all_of_the_archive(
    jobs: JobRepository, make: Factory
) -> None:
    configuration = await make.configuration()
    other = await make.job()
    await make.job(configuration)
    await make.job(configuration, kind=JobKind.VERIFY)
    where = (configuration.owner_id, configuration.id)
    assert await jobs.pause(*where, JobKind.VERIFY) == [JobKind.VERIFY]
    assert await jobs.pause(uuid.uuid4(), configuration.id, None) == []
    assert await jobs.pause(*where, None) == [JobKind.ARCHIVE]
    assert await jobs.pause(*where, None) == []
    assert await jobs.claim_due_unscoped(START, 10) == [other]


async def test_only_what_was_paused_for_want_of_the_archive_continues_with_it(
    jobs: JobRepository, make: Factory, session: AsyncSession
) -> None:
    configuration = await make.configuration()
    nightly = await make.job(configuration)
    weekly = await make.job(configuration, kind="verify", paused=True)
    place = configuration.owner_id, configuration.id
    await jobs.pause(*place)
    assert await jobs.resume_waiting(*place) == []
    await session.refresh(nightly)
    nightly.paused, nightly.consecutive_failures = False, 3
    configuration.archive_gone_since = START
    await session.flush()
    await jobs.pause(*place)
    await jobs.pause(*place, JobKind.VERIFY)
    assert await jobs.resume_waiting(uuid.uuid4(), configuration.id) == []
    assert await jobs.resume_waiting(*place) == [JobKind.ARCHIVE]
    for job in (nightly, weekly):
        await session.refresh(job)
    assert (nightly.paused, nightly.waits_for_archive, nightly.consecutive_failures) == (False, False, 0)
    assert weekly.paused
