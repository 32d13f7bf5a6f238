"""The weekly verification: each configuration has a job, due ones are claimed (domain.md 2.15, 8.2)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.identity.caller import Caller
from shared.domain.jobs.job import JobKind
from shared.domain.times import schedule
from shared.domain.times.schedule import Schedule
from shared.domain.verifying.verification import Stretch
from shared.services.approvals.authorising import waits_for_approval
from shared.services.archiving.context import ArchivingPorts
from shared.services.jobs.claims import JobClaims
from shared.services.verifying.queueing import (
    VerificationDraft,
    default_windows,
    draft_verification,
    queue_drafts,
)

_NEW_JOBS_PER_TICK = 200
_ACTOR = "system:dispatch_due_jobs"


class VerificationSchedule:
    """Jobs of the kind verify."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def claim_due_jobs(self) -> list[UUID]:
        """Claim due jobs: create a verification for each and set its next instant. See JobClaims.claim_due.

        Configurations without such a job get one first.
        """
        ports = self._ports
        now = ports.clock.now()
        async with ports.database.session() as session:
            jobs = JobRepository(session)
            without = await jobs.without_job_unscoped(JobKind.VERIFY, _NEW_JOBS_PER_TICK)
            await jobs.add_all([_weekly(configuration, now) for configuration in without])
        return await JobClaims(ports.database, ports.clock, JobKind.VERIFY, self._claim).claim_due()

    async def _claim(self, session: AsyncSession, jobs: Sequence[Job]) -> list[UUID]:
        """Queue the verifications of jobs that the caller has claimed, and set their next instants."""
        ids = [job.configuration_id for job in jobs]
        configurations = await ArchiveConfigurationRepository(session).lock_all_unscoped(ids)
        now, following = self._ports.clock.now(), dict[UUID, datetime | None]()
        for job in jobs:
            configuration = configurations.get(job.configuration_id)
            if configuration is None:
                await JobRepository(session).end(job.id)
            else:
                # The job follows its configuration's zone (domain.md 8.1).
                zone = ZoneInfo(configuration.time_zone)
                following[job.id] = schedule.next_run(schedule.parse(job.schedule), zone, now)
        await JobRepository(session).advance(following)
        windows = await default_windows(self._ports, session, ids)
        drafts: list[VerificationDraft] = []
        for job in jobs:
            configuration, window = (
                configurations.get(job.configuration_id),
                windows.get(job.configuration_id),
            )
            if configuration is None or not configuration.active or waits_for_approval(configuration, now):
                continue
            if window is not None:
                drafts.append(await self._draft(configuration, window, job))
        started = await queue_drafts(self._ports, session, drafts)
        return [each.verification.id for each in started if each.created]

    async def _draft(
        self, configuration: ArchiveConfiguration, window: Stretch, job: Job
    ) -> VerificationDraft:
        with telemetry.bind(
            caller=Caller.system(job.tenant_id, "dispatch_due_jobs"),
            correlation=telemetry.new_correlation_id(),
            parent_correlation=telemetry.correlation_id.get() or None,
        ):
            return await draft_verification(
                self._ports, configuration, window, _ACTOR, job=job.id, scheduled_for=job.next_run_at
            )


def _weekly(configuration: ArchiveConfiguration, now: datetime) -> Job:
    """Sundays after the nightly runs. The minute differs, so that they do not all start at once."""
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
