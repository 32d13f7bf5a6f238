"""Backfill: the time before the nightly runs, month by month, oldest first (domain.md 2.14).

The backfill's row stores its progress. Its job stores when it may continue, whether it is paused, and how
many failures it had in a row (8.3). The run of a month is an ordinary run, queued after all other kinds.
Nothing is kept in memory. The end of a run or the dispatcher continues with the next month.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.runs import ArchiveRun
from shared.database.models.verifications import Backfill
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.backfilling.backfills import BackfillRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.domain.backfilling import backfill as months
from shared.domain.backfilling.backfill import BackfillProgress, BackfillState
from shared.domain.identity.caller import Caller
from shared.domain.jobs.job import JobKind
from shared.domain.notifications.notification import Recipient
from shared.domain.notifications.notification_texts import backfill_progress
from shared.domain.runs.archive_run import RunKind, RunState
from shared.domain.runs.window import local_day_start
from shared.errors import Conflict, FieldError, NotFound, ValidationFailed
from shared.services.approvals.authorising import authorise, waits_for_approval
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.pairs import refuse_paused_pair
from shared.services.archiving.queueing import RunDraft, draft_run, queue_drafts
from shared.services.backfilling.ranges import enter_backfill, first_night
from shared.services.identity.access import Access, session_for
from shared.services.identity.ownership import readable_configuration, writable_configuration
from shared.services.jobs.archive_locks import lock_archive
from shared.services.jobs.claims import FAILED_CLAIM_RETRY, JobClaims

# The wait after a month that could not be planned (domain.md 8.3), doubled with each failure in a row.
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=6)
_ACTOR = "system:backfill"


@dataclass(frozen=True, slots=True)
class BackfillView:
    """A backfill, its job, the run of the current month, and its progress."""

    backfill: Backfill
    job: Job
    run: ArchiveRun | None
    progress: BackfillProgress

    @property
    def state(self) -> Literal["waiting", "running", "paused", "completed"]:
        """The state for its owner. A month that was running when it was paused is finished first."""
        if self.backfill.state == BackfillState.COMPLETED:
            return "completed"
        if self.job.paused:
            return "paused"
        return "running" if self.run is not None and self.run.state == RunState.RUNNING else "waiting"


class BackfillService:
    """Backfills. A configuration has at most one."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def get(self, caller: Caller, configuration_id: UUID) -> BackfillView:
        """The backfill of a configuration that the caller may see. Raises NotFound."""
        async with session_for(self._ports.database, caller) as (session, access):
            configuration = await readable_configuration(session, access, configuration_id)
            return await self._view(session, configuration)

    async def start(
        self, caller: Caller, configuration_id: UUID, archive_from: date | None
    ) -> tuple[BackfillView, UUID | None]:
        """Start it, or restart it from ``archive_from``. The default is the beginning of the archive.

        An earlier day becomes the archive's beginning. What is archived already is only read. Returns the
        queued run, if any. Raises NotFound, ValidationFailed (``archive_from``), and Conflict for an inactive
        configuration or if the nightly runs cover the whole range.
        """
        async with self._ports.database.session() as session:
            configuration = await self._writable(session, caller, configuration_id, goes_on=True)
            if not configuration.active:
                raise Conflict("the archive configuration is not active")
            run_id = await self._start_over(session, configuration, archive_from)
            return await self._view(session, configuration), run_id

    async def _start_over(
        self, session: AsyncSession, configuration: ArchiveConfiguration, archive_from: date | None
    ) -> UUID | None:
        now, zone = self._ports.clock.now(), ZoneInfo(configuration.time_zone)
        first = archive_from or configuration.archive_from
        night = first_night(configuration, now.astimezone(zone).date())
        if first >= night:
            message = f"the nightly runs cover everything from {night.isoformat()}"
            raise ValidationFailed([FieldError("archive_from", message, "nothing_to_backfill")])
        before = configuration.archive_from
        configuration.nightly_from = night
        if first < before:
            configuration.archive_from = first
            configuration.touch(now)
        backfill, job = await enter_backfill(session, configuration, first, self._actor, now, starts_at=now)
        await self._audit(
            session,
            configuration,
            "started",
            {
                "before": {"archive_from": before.isoformat()},
                "after": {"archive_from": first.isoformat(), "until": night.isoformat()},
            },
        )
        draft = await self._draft_month(session, configuration, backfill, job)
        queued = await self._queue(session, [(backfill, draft)] if draft is not None else [])
        return next(iter(queued), None)

    @property
    def _actor(self) -> str:
        caller = telemetry.current_caller.get()
        return caller.actor if caller is not None else _ACTOR

    async def pause(self, caller: Caller, configuration_id: UUID) -> BackfillView:
        """Queue no further month. The current one continues. Raises NotFound, and Conflict if it is over."""
        return (await self._set_paused(caller, configuration_id, paused=True))[0]

    async def resume(self, caller: Caller, configuration_id: UUID) -> tuple[BackfillView, UUID | None]:
        """Continue, with the failure count reset. Raises NotFound, and Conflict if it is over."""
        return await self._set_paused(caller, configuration_id, paused=False)

    async def advance(self, run_id: UUID) -> UUID | None:
        """After the end of a backfill's month, queue the next one. Returns its run, if queued.

        Calling it again changes nothing.
        """
        async with self._ports.database.session() as session:
            run = await ArchiveRunRepository(session).get_unscoped(run_id)
            if run is None:
                return None
            backfill = await BackfillRepository(session).get(run.owner_id, run.configuration_id)
            if backfill is None or backfill.run_id != run_id:
                return None
            job = await JobRepository(session).get(
                run.owner_id, run.configuration_id, lock=True, kind=JobKind.BACKFILL
            )
            return None if job is None else next(iter(await self._go_on(session, [job])), None)

    async def claim_due(self) -> list[UUID]:
        """Continue every backfill that is due and has no open run. Returns the queued runs.

        See JobClaims.claim_due.
        """
        ports = self._ports
        return await JobClaims(ports.database, ports.clock, JobKind.BACKFILL, self._go_on).claim_due()

    async def _go_on(self, session: AsyncSession, jobs: Sequence[Job]) -> list[UUID]:
        """Check the current months, then queue the next ones. The caller holds the jobs."""
        ids = [job.configuration_id for job in jobs]
        configurations = await ArchiveConfigurationRepository(session).lock_all_unscoped(ids)
        backfills = await BackfillRepository(session).lock_all_unscoped(ids)
        under_way = [backfill.run_id for backfill in backfills.values() if backfill.run_id is not None]
        runs = await ArchiveRunRepository(session).by_id_unscoped(under_way) if under_way else {}
        drafts: list[tuple[Backfill, RunDraft]] = []
        for job in jobs:
            configuration, backfill = (
                configurations.get(job.configuration_id),
                backfills.get(job.configuration_id),
            )
            if configuration is None or backfill is None:
                await JobRepository(session).end(job.id)
                continue
            run = runs.get(backfill.run_id) if backfill.run_id is not None else None
            if await self._may_go_on(session, configuration, backfill, job, run):
                with telemetry.bind(
                    caller=Caller.system(job.tenant_id, "backfill"),
                    correlation=telemetry.new_correlation_id(),
                ):
                    draft = await self._draft_month(session, configuration, backfill, job)
                drafts += [(backfill, draft)] if draft is not None else []
        return await self._queue(session, drafts)

    async def _may_go_on(
        self,
        session: AsyncSession,
        configuration: ArchiveConfiguration,
        backfill: Backfill,
        job: Job,
        run: ArchiveRun | None,
    ) -> bool:
        """Record ``run``, the current month, if it is over. Returns whether the next one is due."""
        if run is not None:
            if not RunState(run.state).terminal:
                return False
            if self._take_in(backfill, job, run):
                await self._tell_progress(session, configuration, backfill)
        now = self._ports.clock.now()
        unapproved = waits_for_approval(configuration, now)
        if not configuration.active or configuration.archive_in_use or unapproved:
            job.next_run_at = now + FAILED_CLAIM_RETRY
            return False
        waits = job.next_run_at is None or job.next_run_at > now
        return not job.paused and not waits and backfill.state == BackfillState.ACTIVE

    async def _tell_progress(
        self, session: AsyncSession, configuration: ArchiveConfiguration, backfill: Backfill
    ) -> None:
        zone = ZoneInfo(configuration.time_zone)
        start, end = backfill.range_start, backfill.range_end
        progress = months.progress(start, backfill.done_until, end, zone, 0)
        notice = backfill_progress(backfill.id, configuration.id, start, zone, progress)
        recipient = Recipient(configuration.tenant_id, configuration.owner_id)
        await NotificationRepository(session).tell([(recipient, notice)], self._ports.clock.now())

    def _take_in(self, backfill: Backfill, job: Job, run: ArchiveRun) -> bool:
        """Whether the month is done: it was planned, whatever happened to single writes (domain.md 2.2)."""
        now, done = self._ports.clock.now(), _month_done(run)
        backfill.run_id, backfill.updated_at = None, now
        if done:
            backfill.done_until = max(backfill.done_until, run.window_end)
            backfill.reason = None
            job.next_run_at = now
        else:
            backfill.reason = str((run.report or {}).get("reason") or run.state)
            wait = FIRST_WAIT * 2 ** min(max(job.consecutive_failures - 1, 0), 10)
            job.next_run_at = now + min(wait, LONGEST_WAIT)
        # Its owner cancelled the month. Only the owner decides whether the next one starts.
        if run.state == RunState.CANCELLED:
            job.paused = True
        return done

    async def _draft_month(
        self, session: AsyncSession, configuration: ArchiveConfiguration, backfill: Backfill, job: Job
    ) -> RunDraft | None:
        """The run of the next month. None if no month is left, which completes the backfill."""
        zone = ZoneInfo(configuration.time_zone)
        if configuration.nightly_from is not None:
            # The zone may have changed since. No hour between the two may be lost.
            backfill.range_end = max(backfill.range_end, local_day_start(configuration.nightly_from, zone))
        window = months.next_month(backfill.done_until.astimezone(UTC), backfill.range_end, zone)
        if window is None:
            backfill.state, backfill.finished_at = BackfillState.COMPLETED, self._ports.clock.now()
            job.next_run_at = None
            await session.flush()
            await self._audit(session, configuration, "completed", {})
            return None
        return await draft_run(self._ports, configuration, window, RunKind.BACKFILL, _ACTOR)

    async def _queue(self, session: AsyncSession, drafts: Sequence[tuple[Backfill, RunDraft]]) -> list[UUID]:
        """Queue the months. Each becomes the current one of its backfill."""
        started = await queue_drafts(self._ports, session, [draft for _, draft in drafts])
        for (backfill, _), month in zip(drafts, started, strict=True):
            backfill.run_id = month.run.id
        await session.flush()
        return [month.run.id for month in started]

    async def _set_paused(
        self, caller: Caller, configuration_id: UUID, *, paused: bool
    ) -> tuple[BackfillView, UUID | None]:
        async with self._ports.database.session() as session:
            configuration = await self._writable(session, caller, configuration_id, goes_on=not paused)
            view = await self._view(session, configuration)
            backfill, job = view.backfill, view.job
            if backfill.state == BackfillState.COMPLETED:
                raise Conflict("the backfill is over", code="backfill_over")
            queued = None
            job.waits_for_archive = job.waits_for_pair = False
            if job.paused != paused:
                job.paused = paused
                if not paused:
                    job.consecutive_failures, job.next_run_at = 0, self._ports.clock.now()
                what = "paused" if paused else "resumed"
                await self._audit(session, configuration, what, {"after": {"paused": paused}})
                await session.flush()
                if not paused:
                    queued = next(iter(await self._go_on(session, [job])), None)
            return await self._view(session, configuration), queued

    async def _writable(
        self, session: AsyncSession, caller: Caller, configuration_id: UUID, *, goes_on: bool
    ) -> ArchiveConfiguration:
        """The configuration, locked.

        Raises NotFound. To continue, also ArchiveInUse for the newer of a pair (domain.md 2.19).
        """
        access = await Access.of(session, caller)
        found = await writable_configuration(session, access, configuration_id)
        held = await lock_archive(session, found.owner_id, found.id, tenant_id=caller.tenant_id)
        if held is None:
            raise NotFound("there is no such archive configuration")
        if goes_on:
            await refuse_paused_pair(session, access, held, self._ports.audit)
            await authorise(session, caller, held)
        return held

    async def _view(self, session: AsyncSession, configuration: ArchiveConfiguration) -> BackfillView:
        owner = configuration.owner_id
        backfill = await BackfillRepository(session).get(owner, configuration.id)
        job = await JobRepository(session).get(owner, configuration.id, kind=JobKind.BACKFILL)
        if backfill is None or job is None:
            raise NotFound("there is no such backfill", code="no_backfill")
        run = await self._run_of(session, backfill)
        progress = months.progress(
            backfill.range_start,
            backfill.done_until,
            backfill.range_end,
            ZoneInfo(configuration.time_zone),
            _percent_of(run),
        )
        return BackfillView(backfill, job, run, progress)

    async def _run_of(self, session: AsyncSession, backfill: Backfill) -> ArchiveRun | None:
        if backfill.run_id is None:
            return None
        return await ArchiveRunRepository(session).get_unscoped(backfill.run_id)

    async def _audit(
        self,
        session: AsyncSession,
        configuration: ArchiveConfiguration,
        what: str,
        changes: dict[str, object],
    ) -> None:
        await self._ports.audit.record(
            session,
            f"backfill.{what}",
            "archive_configuration",
            configuration.id,
            changes,
            on_behalf_of=configuration.owner_id,
        )


def _month_done(run: ArchiveRun) -> bool:
    return run.planned_at is not None and not (run.plan or {}).get("refused")


def _percent_of(run: ArchiveRun | None) -> int:
    """How much of the current month is done. A finished one counts fully or not at all."""
    if run is None or (RunState(run.state).terminal and not _month_done(run)):
        return 0
    return run.progress
