"""Claims due jobs, many in one transaction (domain.md 8.2)."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.configurations import Job
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.jobs.job import JobKind
from shared.errors import Unavailable

JOBS_PER_BATCH = 200
#: One dispatcher tick claims at most this many of a kind. The next tick continues.
BATCHES_PER_TICK = 25
FAILED_CLAIM_RETRY = timedelta(hours=1)
logger = logging.getLogger(__name__)

#: Inserts the runs of due jobs and sets the jobs' next instants, in the session's transaction. Returns what
#: to start.
type ClaimJobs = Callable[[AsyncSession, Sequence[Job]], Awaitable[list[UUID]]]


class JobClaims:
    """Claims the due jobs of one kind, batch by batch, each batch in one transaction."""

    def __init__(self, database: Database, clock: Clock, kind: JobKind, claim: ClaimJobs) -> None:
        self._database = database
        self._clock = clock
        self._kind = kind
        self._claim = claim

    async def claim_due(self) -> list[UUID]:
        """What the due jobs start, longest overdue first.

        If a batch fails, its jobs are claimed one by one. A job that cannot be claimed is logged and retried
        in an hour, so it blocks no other one. Raises Unavailable, because an unavailable database is no fault
        of a job.
        """
        claimed: list[UUID] = []
        now = self._clock.now()
        for _ in range(BATCHES_PER_TICK):
            found, started = await self._claim_batch(now)
            claimed += started
            if found < JOBS_PER_BATCH:
                break
        return claimed

    async def _claim_batch(self, now: datetime) -> tuple[int, list[UUID]]:
        """How many jobs were due, and what they start."""
        due: list[UUID] = []
        try:
            async with self._database.session() as session:
                jobs = await JobRepository(session).claim_due_unscoped(now, JOBS_PER_BATCH, self._kind)
                due = [job.id for job in jobs]
                return len(due), await self._claim(session, jobs) if jobs else []
        except Unavailable:
            raise
        except Exception as error:
            logger.warning("a batch of jobs could not be claimed: %s", type(error).__name__)
        return len(due), [each for job_id in due for each in await self._claim_alone(job_id, now)]

    async def _claim_alone(self, job_id: UUID, now: datetime) -> list[UUID]:
        try:
            async with self._database.session() as session:
                # Another dispatcher may have claimed it.
                jobs = await JobRepository(session).claim_due_unscoped(now, 1, self._kind, only=job_id)
                return await self._claim(session, jobs) if jobs else []
        except Unavailable:
            raise
        except Exception:
            logger.exception("job could not be claimed", extra={"job_id": str(job_id)})
        async with self._database.session() as session:
            await JobRepository(session).postpone_unscoped(job_id, now, now + FAILED_CLAIM_RETRY)
        return []
