"""The days of a backfill, and its creation (domain.md 2.14)."""

from datetime import date, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.verifications import Backfill
from shared.database.repositories.backfilling.backfills import BackfillRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.backfilling.backfill import BackfillState, nightly_from
from shared.domain.jobs.job import JobKind
from shared.domain.runs.window import local_day_start


async def fit_backfill(
    session: AsyncSession, configuration: ArchiveConfiguration, job: Job, actor: str, now: datetime
) -> None:
    """Leave the time before the previous month to a backfill (domain.md 2.14).

    For a configuration that has archived nothing yet: its nightly runs begin with the previous month, and the
    backfill runs after the first of them. ``job`` is the job of the nightly runs. The caller holds both rows.
    """
    zone = ZoneInfo(configuration.time_zone)
    night = nightly_from(configuration.archive_from, now.astimezone(zone).date())
    if configuration.archive_from < night:
        configuration.nightly_from = night
        await enter_backfill(session, configuration, configuration.archive_from, actor, now, job.next_run_at)
        return
    configuration.nightly_from = None
    backfill = await BackfillRepository(session).get(configuration.owner_id, configuration.id, lock=True)
    if backfill is not None:
        backfill.state, backfill.run_id, backfill.finished_at = BackfillState.COMPLETED, None, now
        backfill.range_start = backfill.range_end = backfill.done_until


async def enter_backfill(
    session: AsyncSession,
    configuration: ArchiveConfiguration,
    archive_from: date,
    actor: str,
    now: datetime,
    starts_at: datetime | None,
) -> tuple[Backfill, Job]:
    """The configuration's backfill from ``archive_from`` to its first night, not begun yet."""
    zone, owner = ZoneInfo(configuration.time_zone), configuration.owner_id
    start = local_day_start(archive_from, zone)
    end = local_day_start(configuration.nightly_from or archive_from, zone)
    jobs, backfills = JobRepository(session), BackfillRepository(session)
    job = await jobs.get(owner, configuration.id, lock=True, kind=JobKind.BACKFILL)
    backfill = await backfills.get(owner, configuration.id, lock=True)
    if job is None:
        job = await jobs.add(
            Job(
                id=uuid4(),
                tenant_id=configuration.tenant_id,
                owner_id=owner,
                configuration_id=configuration.id,
                kind=JobKind.BACKFILL,
                schedule={"kind": "manual"},
                created_at=now,
                time_zone=zone.key,
            )
        )
    job.paused, job.consecutive_failures, job.next_run_at = False, 0, starts_at
    values = {
        "range_start": start,
        "range_end": end,
        "done_until": start,
        "state": BackfillState.ACTIVE,
        "run_id": None,
        "reason": None,
        "requested_by": actor,
        "updated_at": now,
        "finished_at": None,
    }
    if backfill is None:
        backfill = await backfills.add(
            Backfill(
                id=uuid4(),
                tenant_id=configuration.tenant_id,
                owner_id=owner,
                configuration_id=configuration.id,
                created_at=now,
                **values,
            )
        )
    else:
        for name, value in values.items():
            setattr(backfill, name, value)
    await session.flush()
    return backfill, job


def first_night(configuration: ArchiveConfiguration, today: date) -> date:
    """Where the nightly runs begin. It does not change after their first run."""
    if configuration.nightly_from is not None:
        return configuration.nightly_from
    if configuration.archived_until is not None:
        return configuration.archive_from
    return nightly_from(configuration.archive_from, today)
