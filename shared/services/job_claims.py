"""Claiming one due job after another in one transaction (domain.md 8.2)."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import Job
from shared.database.repositories.jobs import JobRepository
from shared.errors import AdminAssistantError, Unavailable

FAILED_CLAIM_RETRY = timedelta(hours=1)
logger = logging.getLogger(__name__)


@asynccontextmanager
async def claiming(session: AsyncSession, job: Job, now: datetime) -> AsyncIterator[None]:
    """One job's claim, in a savepoint.

    A job that cannot be claimed is logged and tried again in an hour: it keeps no other one waiting. Raises
    Unavailable: that the database is away is no fault of the job, and ends the transaction of all of them.
    """
    job_id = job.id
    try:
        async with session.begin_nested():
            yield
    except Unavailable:
        raise
    except (AdminAssistantError, ValueError, KeyError):
        logger.exception("job could not be claimed", extra={"job_id": str(job_id)})
        await JobRepository(session).advance(job_id, now + FAILED_CLAIM_RETRY)
