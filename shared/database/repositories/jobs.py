"""What runs when (domain.md 8)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from shared.database.models import Job
from shared.database.repositories.base import Repository


class JobRepository(Repository):
    """The ``jobs`` table: one job for each archive configuration."""

    async def add(self, job: Job) -> Job:
        """Insert the job; raises AlreadyExists when its configuration has one."""
        await self._insert(job)
        return job

    async def get(self, owner_id: UUID, configuration_id: UUID, *, lock: bool = False) -> Job | None:
        """The job of a configuration of the owner; with ``lock`` nobody else changes it meanwhile."""
        statement = select(Job).where(Job.owner_id == owner_id, Job.configuration_id == configuration_id)
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return await self._one(statement)

    async def of_configurations(self, tenant_id: UUID, configuration_ids: Sequence[UUID]) -> dict[UUID, Job]:
        """The jobs of configurations of the tenant, by configuration, in one statement."""
        if not configuration_ids:
            return {}
        statement = select(Job).where(Job.tenant_id == tenant_id, Job.configuration_id.in_(configuration_ids))
        return {job.configuration_id: job for job in await self._all(statement)}

    async def claim_due_unscoped(self, now: datetime, limit: int) -> list[Job]:
        """Lock due jobs of every tenant until the transaction ends, longest overdue first.

        Paused ones and those another transaction has claimed are passed over (domain.md 8.2).
        """
        return await self._all(
            select(Job)
            .where(Job.paused.is_(False), Job.next_run_at <= now)
            .order_by(Job.next_run_at, Job.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )

    async def advance(self, job_id: UUID, next_run_at: datetime | None) -> None:
        """Move a claimed job's next instant on; None for a job that only runs by hand."""
        await self._session.execute(update(Job).where(Job.id == job_id).values(next_run_at=next_run_at))

    async def pause(self, owner_id: UUID, configuration_id: UUID) -> None:
        """Let the job wait until its owner resumes it."""
        await self._session.execute(
            update(Job)
            .where(Job.owner_id == owner_id, Job.configuration_id == configuration_id)
            .values(paused=True)
        )

    async def record_outcome(self, owner_id: UUID, configuration_id: UUID, *, failed: bool) -> int | None:
        """Count failures in a row (domain.md 8.3): returns how many there are now, None without a job."""
        failures = Job.consecutive_failures + 1 if failed else 0
        result = await self._session.execute(
            update(Job)
            .where(Job.owner_id == owner_id, Job.configuration_id == configuration_id)
            .values(consecutive_failures=failures)
            .returning(Job.consecutive_failures)
        )
        return result.scalar_one_or_none()
