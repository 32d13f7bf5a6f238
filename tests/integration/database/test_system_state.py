"""Backlog and lateness of a tenant."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.operation.system_state import PAUSING_FAILURES, SystemStateRepository
from shared.domain.runs.archive_run import RunState
from tests.support.factories import START, TENANT, Factory


async def test_only_what_nobody_started_waits(session: AsyncSession, make: Factory) -> None:
    configuration = await make.configuration()
    await make.run(configuration, created_at=START + timedelta(hours=1))
    await make.run(configuration, created_at=START)
    await make.run(configuration, created_at=START - timedelta(days=1), dispatched_at=START)
    await make.run(configuration, state=RunState.RUNNING)
    await make.run(configuration, state=RunState.COMPLETED, created_at=START - timedelta(days=9))
    backlog = await SystemStateRepository(session).backlog(TENANT)
    assert (backlog.waiting, backlog.running, backlog.oldest) == (2, 1, START)
    nothing = await SystemStateRepository(session).backlog(uuid4())
    assert (nothing.waiting, nothing.running, nothing.oldest) == (0, 0, None)


async def test_paused_jobs_are_not_late_but_their_failures_count(
    session: AsyncSession, make: Factory
) -> None:
    await make.job(next_run_at=START)
    await make.job(next_run_at=START + timedelta(hours=1), consecutive_failures=1)
    await make.job(next_run_at=START - timedelta(days=1), paused=True)
    await make.job(paused=True, consecutive_failures=PAUSING_FAILURES)
    await make.job(next_run_at=None)
    late = await SystemStateRepository(session).lateness(TENANT, START)
    assert (late.due, late.oldest, late.failing, late.paused_by_failures) == (1, START, 1, 1)
    nothing = await SystemStateRepository(session).lateness(uuid4(), START)
    assert (nothing.due, nothing.oldest, nothing.failing, nothing.paused_by_failures) == (0, None, 0, 0)
