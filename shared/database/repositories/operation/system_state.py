"""How late the tenant's work is: queued runs and due jobs, for the system's health."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select

from shared.database.models.configurations import Job
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.base import Repository
from shared.domain.runs.archive_run import RunState

#: Failures in a row that pause a job (domain.md 8.3).
PAUSING_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Backlog:
    """Runs that wait to be started. ``oldest`` is when the first of them was requested."""

    waiting: int
    running: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Lateness:
    """Jobs that are late. ``oldest`` is when the first of them was due."""

    due: int
    oldest: datetime | None
    failing: int
    paused_by_failures: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Runs that ended with trouble. ``failed`` ones could read nothing. In the others, something failed."""

    failed: int
    with_errors: int


@dataclass(frozen=True, slots=True)
class LateWork:
    """In all tenants: overdue jobs, and runs that wait to be started."""

    overdue_jobs: int
    waiting_runs: int


class SystemStateRepository(Repository):
    """Counts of runs and jobs, of one tenant unless the name says otherwise."""

    async def backlog(self, tenant_id: UUID) -> Backlog:
        """Queued runs without an orchestration, and running ones."""
        waiting = (ArchiveRun.state == RunState.QUEUED) & ArchiveRun.dispatched_at.is_(None)
        row = (
            await self._session.execute(
                select(
                    func.count().filter(waiting),
                    func.count().filter(ArchiveRun.state == RunState.RUNNING),
                    func.min(ArchiveRun.created_at).filter(waiting),
                ).where(
                    ArchiveRun.tenant_id == tenant_id,
                    ArchiveRun.state.in_((RunState.QUEUED, RunState.RUNNING)),
                )
            )
        ).one()
        return Backlog(row[0], row[1], row[2])

    async def trouble(self, tenant_id: UUID, since: datetime) -> Trouble:
        """Runs that ended since then with trouble."""
        row = (
            await self._session.execute(
                select(
                    func.count().filter(ArchiveRun.state == RunState.FAILED),
                    func.count().filter(ArchiveRun.state == RunState.COMPLETED_WITH_ERRORS),
                ).where(
                    ArchiveRun.tenant_id == tenant_id,
                    ArchiveRun.state.in_((RunState.FAILED, RunState.COMPLETED_WITH_ERRORS)),
                    ArchiveRun.finished_at > since,
                )
            )
        ).one()
        return Trouble(row[0], row[1])

    async def lateness(self, tenant_id: UUID, now: datetime) -> Lateness:
        """Counts overdue jobs, failing jobs and jobs that failures paused, and since when one is overdue."""
        due = Job.paused.is_(False) & (Job.next_run_at <= now)
        row = (
            await self._session.execute(
                select(
                    func.count().filter(due),
                    func.min(Job.next_run_at).filter(due),
                    func.count().filter(Job.paused.is_(False) & (Job.consecutive_failures > 0)),
                    func.count().filter(Job.paused & (Job.consecutive_failures >= PAUSING_FAILURES)),
                ).where(
                    Job.tenant_id == tenant_id,
                    or_(Job.next_run_at <= now, Job.consecutive_failures > 0),
                )
            )
        ).one()
        return Lateness(row[0], row[1], row[2], row[3])

    async def late_work_of_all_tenants(self, overdue_since: datetime, waiting_since: datetime) -> LateWork:
        """Jobs due since before the first instant; queued runs older than the second that nothing started."""
        overdue = (
            select(func.count())
            .select_from(Job)
            .where(Job.paused.is_(False), Job.next_run_at <= overdue_since)
            .scalar_subquery()
        )
        waiting = (
            select(func.count())
            .select_from(ArchiveRun)
            .where(
                ArchiveRun.state == RunState.QUEUED,
                ArchiveRun.dispatched_at.is_(None),
                ArchiveRun.created_at <= waiting_since,
            )
            .scalar_subquery()
        )
        row = (await self._session.execute(select(overdue, waiting))).one()
        return LateWork(row[0], row[1])
