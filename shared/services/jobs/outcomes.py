"""The effect of an ended run or verification on the jobs of its archive (domain.md 8.3, 15.1)."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.jobs.job import JobKind
from shared.domain.notifications.notification import Notice
from shared.domain.notifications.notification_texts import job_paused
from shared.services.audit.recording import AuditWriter

FAILURES_UNTIL_PAUSE = 5


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """Work of a job's kind has ended, whether or not a job started it.

    ``cause_id`` is the run or the verification. ``gone``: what it reads or writes does not exist any more.
    """

    owner_id: UUID
    configuration_id: UUID
    kind: JobKind
    cause_id: UUID
    failed: bool
    gone: bool


@dataclass(frozen=True, slots=True)
class JobJudgement:
    """``told`` is the notification for the owner and the Admins that jobs were paused.

    ``says_gone``: it says that something is gone. ``said_gone``: that was already said (domain.md 15.1).
    """

    told: tuple[Notice, ...] = ()
    says_gone: bool = False
    said_gone: bool = False


async def judge_job(session: AsyncSession, audit: AuditWriter, ended: WorkEnded) -> JobJudgement:
    """Pause the job after five failures in a row. If a calendar is gone, pause all of the configuration."""
    jobs = JobRepository(session)
    paused: list[JobKind] = []
    if ended.gone:
        # Before its own row is changed, because several jobs must be locked in one order.
        paused = await jobs.pause(ended.owner_id, ended.configuration_id, None)
    failures = await jobs.record_outcome(
        ended.owner_id, ended.configuration_id, failed=ended.failed, kind=ended.kind
    )
    if failures is not None and failures >= FAILURES_UNTIL_PAUSE and not ended.gone:
        paused = await jobs.pause(ended.owner_id, ended.configuration_id, ended.kind)
    if not paused:
        return JobJudgement(said_gone=ended.gone and failures is not None)
    await audit.record(
        session,
        "job.paused",
        "archive_configuration",
        ended.configuration_id,
        {"kinds": [*map(str, paused)], "failures_in_a_row": failures or 0, "gone": ended.gone},
        on_behalf_of=ended.owner_id,
    )
    notices = job_paused(ended.cause_id, ended.configuration_id, ended.kind, failures or 0, gone=ended.gone)
    return JobJudgement(notices, says_gone=ended.gone)
