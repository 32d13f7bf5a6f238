"""Due jobs are claimed many at a time, and one that cannot be claimed keeps none waiting (domain.md 8.2)."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import event, select

from shared.clock import SystemClock
from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.configurations import Job
from shared.database.models.runs import ArchiveRun
from shared.database.models.verifications import Verification
from shared.domain.jobs.job import JobKind
from shared.domain.runs.archive_run import RunState
from shared.graph.calendar_adapter import CalendarAdapter
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.service import ArchivingService
from shared.services.jobs import claims as job_claims
from shared.services.verifying.scheduling import VerificationSchedule
from shared.settings import Settings
from tests.support.factories import START, Factory


@pytest.fixture
def ports(database: Database, settings: Settings) -> ArchivingPorts:
    """No claim asks Graph anything."""
    return ArchivingPorts(database, cast(CalendarAdapter, None), SystemClock(), settings)


async def _rows(database: Database, model: type[Any]) -> list[Any]:
    async with database.session() as session:
        return list((await session.execute(select(model))).scalars())


async def test_batch_after_batch_each_job_gets_its_run_with_its_audit_row(
    ports: ArchivingPorts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_claims, "JOBS_PER_BATCH", 3)
    async with database.session() as session:
        make = Factory(session)
        jobs = [await make.job() for _ in range(7)]
    claimed = await ArchivingService(ports).claim_due_jobs()
    runs = {run.id: run for run in await _rows(database, ArchiveRun)}
    assert sorted(claimed) == sorted(runs)
    assert {run.job_id for run in runs.values()} == {job.id for job in jobs}
    assert {run.scheduled_for for run in runs.values()} == {START}
    audited = {entry.resource_id: entry for entry in await _rows(database, AuditEntry)}
    assert {run_id: audited[str(run_id)].correlation_id for run_id in runs} == {
        run.id: run.correlation_id for run in runs.values()
    }
    assert len({run.correlation_id for run in runs.values()}) == 7
    assert all(audited[str(run.id)].on_behalf_of == run.owner_id for run in runs.values())
    assert all(job.next_run_at > START for job in await _rows(database, Job))


async def test_jobs_that_cannot_be_claimed_wait_an_hour_and_the_others_do_not(
    ports: ArchivingPorts, database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        healthy = [await make.job() for _ in range(4)]
        unreadable = await make.job(time_zone="Nowhere/At all")
        # What this instant was due for ran already: the database refuses a second run of it.
        done = await make.job()
        configuration: dict[str, Any] = {"tenant_id": done.tenant_id, "owner_id": done.owner_id}
        await make.run(
            **configuration,
            configuration_id=done.configuration_id,
            job_id=done.id,
            scheduled_for=START,
            state=RunState.COMPLETED,
        )
    before = ports.clock.now()
    assert len(await ArchivingService(ports).claim_due_jobs()) == 4
    count = Counter(run.job_id for run in await _rows(database, ArchiveRun))
    assert count == Counter([job.id for job in healthy] + [done.id])
    for job in await _rows(database, Job):
        if job.id in (unreadable.id, done.id):
            assert timedelta(hours=1) <= job.next_run_at - before < timedelta(hours=1, minutes=5)
    assert await ArchivingService(ports).claim_due_jobs() == []


async def test_several_dispatchers_at_once_claim_each_job_once(
    ports: ArchivingPorts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_claims, "JOBS_PER_BATCH", 3)
    async with database.session() as session:
        make = Factory(session)
        jobs = [await make.job() for _ in range(12)]
        await make.job(time_zone="Nowhere/At all")
    claimed = await asyncio.gather(*(ArchivingService(ports).claim_due_jobs() for _ in range(4)))
    # A worker that finds only what others hold leaves it to the next tick.
    rest = await ArchivingService(ports).claim_due_jobs()
    runs = await _rows(database, ArchiveRun)
    assert sorted(run_id for each in [*claimed, rest] for run_id in each) == sorted(run.id for run in runs)
    assert Counter(run.job_id for run in runs) == Counter(job.id for job in jobs)


async def test_an_open_run_of_the_same_window_is_started_instead(
    ports: ArchivingPorts, database: Database
) -> None:
    archiving = ArchivingService(ports)
    async with database.session() as session:
        job = await Factory(session).job()
    (first,) = await archiving.claim_due_jobs()
    async with database.session() as session:
        (await session.get_one(Job, job.id)).next_run_at = START + timedelta(hours=1)
    assert await archiving.claim_due_jobs() == [first]
    assert len(await _rows(database, ArchiveRun)) == 1


async def test_weekly_verifications_are_claimed_together(ports: ArchivingPorts, database: Database) -> None:
    async with database.session() as session:
        make = Factory(session)
        jobs = [await make.job(kind=JobKind.VERIFY) for _ in range(3)]
        for job in jobs[:2]:
            await make.run(
                tenant_id=job.tenant_id,
                owner_id=job.owner_id,
                configuration_id=job.configuration_id,
                state=RunState.COMPLETED,
                planned_at=START,
                plan={},
            )
        broken = await make.job(kind=JobKind.VERIFY, schedule={"kind": "daily", "at": "late"})
    claimed = await VerificationSchedule(ports).claim_due_jobs()
    entered = await _rows(database, Verification)
    # Of the third one nothing is archived yet: there is nothing to verify.
    assert sorted(claimed) == sorted(each.id for each in entered)
    assert {each.job_id for each in entered} == {job.id for job in jobs[:2]}
    moved = {job.id: job.next_run_at for job in await _rows(database, Job)}
    assert all(moved[job.id] > START for job in [*jobs, broken])


async def test_the_number_of_statements_does_not_grow_with_the_jobs(
    ports: ArchivingPorts, database: Database
) -> None:
    async def statements(jobs: int) -> int:
        async with database.session() as session:
            make = Factory(session)
            for _ in range(jobs):
                await make.job()
        count = 0

        def counted(*_: object) -> None:
            nonlocal count
            count += 1

        engine = database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", counted)
        try:
            assert len(await ArchivingService(ports).claim_due_jobs()) == jobs
        finally:
            event.remove(engine, "before_cursor_execute", counted)
        return count

    assert await statements(20) == await statements(1)
