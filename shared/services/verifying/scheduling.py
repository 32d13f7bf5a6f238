"""The weekly verification: every configuration has its job, due ones are claimed (domain.md 2.15, 8.2)."""

from datetime import datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.repositories.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs import JobRepository
from shared.domain import schedule
from shared.domain.caller import Caller
from shared.domain.job import JobKind
from shared.domain.schedule import Schedule
from shared.services.archiving.context import ArchivingPorts
from shared.services.job_claims import claiming
from shared.services.verifying.service import StartedVerification, VerificationService

JOBS_PER_TICK = 200
_ACTOR = "system:dispatch_due_jobs"


class VerificationSchedule:
    """Jobs of the kind verify."""

    def __init__(self, ports: ArchivingPorts, verifications: VerificationService) -> None:
        self._ports = ports
        self._verifications = verifications

    async def claim_due_jobs(self) -> list[UUID]:
        """Claim due jobs: enter a verification for each and move its next instant on, in one transaction.

        Configurations without such a job get theirs first. A job that cannot be claimed is logged and tried
        again in an hour.
        """
        now = self._ports.clock.now()
        async with self._ports.database.session() as session:
            jobs = JobRepository(session)
            for configuration in await jobs.without_job_unscoped(JobKind.VERIFY, JOBS_PER_TICK):
                await jobs.add(_weekly(configuration, now))
        claimed: list[UUID] = []
        async with self._ports.database.session() as session:
            jobs = JobRepository(session)
            for job in await jobs.claim_due_unscoped(now, JOBS_PER_TICK, JobKind.VERIFY):
                async with claiming(session, job, now):
                    started = await self._claim(session, job, now)
                    if started is not None and started.created:
                        claimed.append(started.verification.id)
        return claimed

    async def _claim(self, session: AsyncSession, job: Job, now: datetime) -> StartedVerification | None:
        jobs = JobRepository(session)
        configuration = await ArchiveConfigurationRepository(session).lock(
            job.tenant_id, job.configuration_id, shared=True
        )
        if configuration is None:
            await jobs.end(job.id)
            return None
        # The job follows its configuration's zone (domain.md 8.1).
        zone = ZoneInfo(configuration.time_zone)
        scheduled = job.next_run_at
        await jobs.advance(job.id, schedule.next_run(schedule.parse(job.schedule), zone, now))
        window = await self._verifications.window_of(session, configuration)
        if not configuration.active or window is None:
            return None
        with telemetry.bind(
            caller=Caller.system(job.tenant_id, "dispatch_due_jobs"),
            correlation=telemetry.new_correlation_id(),
            parent_correlation=telemetry.correlation_id.get() or None,
        ):
            return await self._verifications.queue(
                session, configuration, window, _ACTOR, job_id=job.id, scheduled_for=scheduled
            )


def _weekly(configuration: ArchiveConfiguration, now: datetime) -> Job:
    """Sundays after the nightly runs; the minute differs, so that not all of them start at once."""
    weekly = Schedule(
        schedule.ScheduleKind.WEEKLY,
        at=schedule.parse({"kind": "daily", "at": f"05:{configuration.id.int % 60:02d}"}).at,
        days=("sunday",),
    )
    zone = ZoneInfo(configuration.time_zone)
    return Job(
        id=uuid4(),
        tenant_id=configuration.tenant_id,
        owner_id=configuration.owner_id,
        configuration_id=configuration.id,
        kind=JobKind.VERIFY,
        schedule=weekly.to_json(),
        time_zone=zone.key,
        next_run_at=schedule.next_run(weekly, zone, now),
        paused=False,
        consecutive_failures=0,
        created_at=now,
    )
