"""Jobs: what runs when (domain.md 8)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import InstrumentedAttribute

from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.repositories.base import Repository
from shared.domain.jobs.job import JobKind

# The run of a month is driven separately. The backfill continues when the run is over.
_NO_OPEN_MONTH = text("""
    NOT EXISTS (SELECT 1 FROM backfills b JOIN archive_runs r ON r.id = b.run_id
                 WHERE b.configuration_id = jobs.configuration_id AND r.state IN ('queued', 'running'))
""")


# All code locks the jobs of a configuration by kind. Another order could deadlock.
_HOLD = text("""
    SELECT id FROM jobs WHERE owner_id = :owner AND configuration_id = :configuration ORDER BY kind FOR UPDATE
""")
_ADVANCE = text("""
    UPDATE jobs SET next_run_at = v.instant
      FROM unnest(CAST(:jobs AS uuid[]), CAST(:instants AS timestamptz[])) AS v(id, instant)
     WHERE jobs.id = v.id
""")


class JobRepository(Repository):
    """The ``jobs`` table: at most one job of each kind per configuration, here the archive job."""

    async def add(self, job: Job) -> Job:
        """Insert the job. Raises AlreadyExists if its configuration has one of its kind."""
        await self._insert(job)
        return job

    async def add_all(self, jobs: Sequence[Job]) -> None:
        """Insert several. Raises AlreadyExists as ``add`` does."""
        await self._insert(*jobs)

    async def get(
        self, owner_id: UUID, configuration_id: UUID, *, lock: bool = False, kind: JobKind = JobKind.ARCHIVE
    ) -> Job | None:
        """The job of a configuration of the owner. ``lock`` holds it until the transaction ends."""
        statement = select(Job).where(
            Job.owner_id == owner_id, Job.configuration_id == configuration_id, Job.kind == kind
        )
        return await self._one(statement, lock=lock)

    async def hold(self, owner_id: UUID, configuration_id: UUID) -> None:
        """Lock all jobs of the configuration until the transaction ends.

        Jobs are locked before the configuration, and before its runs and verifications. The dispatcher
        inserts those while it holds a job, and it waits for an open one of the same window to end.
        """
        await self._session.execute(_HOLD, {"owner": owner_id, "configuration": configuration_id})

    async def of_configurations(self, tenant_id: UUID, configuration_ids: Sequence[UUID]) -> dict[UUID, Job]:
        """The jobs of configurations of the tenant, by configuration, in one statement."""
        if not configuration_ids:
            return {}
        statement = select(Job).where(
            Job.tenant_id == tenant_id,
            Job.configuration_id.in_(configuration_ids),
            Job.kind == JobKind.ARCHIVE,
        )
        return {job.configuration_id: job for job in await self._all(statement)}

    async def claim_due_unscoped(
        self, now: datetime, limit: int, kind: JobKind = JobKind.ARCHIVE, *, only: UUID | None = None
    ) -> list[Job]:
        """Lock due jobs of a kind, of every tenant, until the transaction ends, longest overdue first.

        Paused jobs, jobs that another transaction has claimed (domain.md 8.2), and backfills with a month in
        progress are skipped. ``only`` asks for a single job.
        """
        statement = select(Job).where(Job.kind == kind, Job.paused.is_(False), Job.next_run_at <= now)
        if only is not None:
            statement = statement.where(Job.id == only)
        if kind is JobKind.BACKFILL:
            statement = statement.where(_NO_OPEN_MONTH)
        return await self._all(
            statement.order_by(Job.next_run_at, Job.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )

    async def advance(self, following: Mapping[UUID, datetime | None]) -> None:
        """Set the next instant of claimed jobs. None for a job that only runs by hand."""
        parameters = {"jobs": list(following), "instants": list(following.values())}
        await self._session.execute(_ADVANCE, parameters)

    async def postpone_unscoped(self, job_id: UUID, due: datetime, until: datetime) -> None:
        """Postpone a job that is due at ``due``, unless somebody moved it in between."""
        await self._session.execute(
            update(Job).where(Job.id == job_id, Job.next_run_at <= due).values(next_run_at=until)
        )

    async def without_job_unscoped(self, kind: JobKind, limit: int) -> list[ArchiveConfiguration]:
        """Active configurations of every tenant without a job of the kind."""
        own = select(Job.id).where(Job.configuration_id == ArchiveConfiguration.id, Job.kind == kind)
        return await self._all(
            select(ArchiveConfiguration)
            .where(ArchiveConfiguration.deleted_at.is_(None), ArchiveConfiguration.active, ~own.exists())
            .order_by(ArchiveConfiguration.created_at, ArchiveConfiguration.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    async def end(self, job_id: UUID) -> None:
        """Delete the job, because its configuration is gone."""
        await self._session.execute(update(Job).where(Job.id == job_id).values(paused=True, next_run_at=None))

    async def pause(
        self, owner_id: UUID, configuration_id: UUID, kind: JobKind | None = JobKind.ARCHIVE
    ) -> list[JobKind]:
        """Pause the job until its owner resumes it, or until its missing archive calendar exists again.

        Without a kind, pause all of the configuration's jobs. Returns the kinds of those that were not paused
        before. A paused one keeps its first reason.
        """
        gone = (
            select(ArchiveConfiguration.archive_gone_since.is_not(None))
            .where(ArchiveConfiguration.id == configuration_id)
            .scalar_subquery()
        )
        due = select(Job.id).where(
            Job.owner_id == owner_id, Job.configuration_id == configuration_id, Job.paused.is_(False)
        )
        if kind is not None:
            due = due.where(Job.kind == kind)
        # All code locks the jobs of a configuration by kind. Another order could deadlock.
        result = await self._session.execute(
            update(Job)
            .where(Job.id.in_(due.order_by(Job.kind).with_for_update()))
            .values(paused=True, waits_for_archive=gone)
            .returning(Job.kind)
            .execution_options(synchronize_session=False)
        )
        return sorted(JobKind(each) for each in result.scalars())

    async def resume_waiting(self, owner_id: UUID, configuration_id: UUID) -> list[JobKind]:
        """Resume jobs that paused for a missing archive calendar, with the failure count reset."""
        return await self._resume(owner_id, configuration_id, Job.waits_for_archive)

    async def resume_pair(self, owner_id: UUID, configuration_id: UUID) -> list[JobKind]:
        """Resume jobs that paused because of an older configuration that is deleted now."""
        return await self._resume(owner_id, configuration_id, Job.waits_for_pair)

    async def _resume(
        self, owner_id: UUID, configuration_id: UUID, waits: InstrumentedAttribute[bool]
    ) -> list[JobKind]:
        result = await self._session.execute(
            update(Job)
            .where(Job.owner_id == owner_id, Job.configuration_id == configuration_id, waits, Job.paused)
            .values({Job.paused: False, waits: False, Job.consecutive_failures: 0})
            .returning(Job.kind)
        )
        return sorted(JobKind(kind) for kind in result.scalars())

    async def resume_approved(self, owner_id: UUID, configuration_id: UUID) -> None:
        """Resume jobs that paused without a valid approval (domain.md 6.5)."""
        await self._session.execute(
            update(Job)
            .where(
                Job.owner_id == owner_id,
                Job.configuration_id == configuration_id,
                Job.paused,
                Job.next_run_at.is_not(None),
                ~Job.waits_for_archive,
                ~Job.waits_for_pair,
            )
            .values(paused=False, consecutive_failures=0)
        )

    async def record_outcome(
        self, owner_id: UUID, configuration_id: UUID, *, failed: bool, kind: JobKind = JobKind.ARCHIVE
    ) -> int | None:
        """Count failures in a row (domain.md 8.3). Returns their number now, None without a job."""
        failures = Job.consecutive_failures + 1 if failed else 0
        result = await self._session.execute(
            update(Job)
            .where(Job.owner_id == owner_id, Job.configuration_id == configuration_id, Job.kind == kind)
            .values(consecutive_failures=failures)
            .returning(Job.consecutive_failures)
        )
        return result.scalar_one_or_none()
