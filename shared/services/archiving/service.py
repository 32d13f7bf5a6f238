"""The use cases of archiving: request runs, drive them, read them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_operations import ArchiveOperationRepository
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.listed_operations import ListedOperationRepository, WriteProblem
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.identity.caller import Caller
from shared.domain.jobs.job import JobKind
from shared.domain.runs.archive_run import OperationAction, OperationState, RunKind, RunMode, RunState
from shared.domain.runs.plan_counts import PlanCounts
from shared.domain.runs.run_progress import ask_again_seconds
from shared.domain.runs.window import Window
from shared.domain.times import schedule
from shared.errors import Conflict, FieldError, NotFound, RunInProgress, ValidationFailed
from shared.services.approvals.authorising import authorise, person_read_id, waits_for_approval
from shared.services.archiving.applying import Applier, ApplyProgress
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.finishing import MAX_PROBLEMS, FinishedRun, Finisher
from shared.services.archiving.judging import bar_unauthorised
from shared.services.archiving.pairs import refuse_paused_pair
from shared.services.archiving.planning import RunPlanner
from shared.services.archiving.queueing import RunDraft, StartedRun, draft_run, queue_drafts, queue_run
from shared.services.archiving.reconciling import ReconcileProgress, Reconciler
from shared.services.archiving.unread_events import beyond, windows_to_read_again
from shared.services.archiving.windows import nightly, requested
from shared.services.identity.access import Access, reads_own
from shared.services.jobs.claims import JobClaims
from shared.services.operation.driving import LOOKED_AFTER_EVERY, PATIENCE

__all__ = ["ArchivingService", "BegunRun", "RunView", "StartedRun"]

DRIVEN_RUNS_PER_TICK = 500
_RETRIED_AS_THEY_ARE = (RunMode.REPLACE, RunMode.REBUILD)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its progress and its problems."""

    run: ArchiveRun
    counts: dict[tuple[OperationAction, OperationState], int]
    problems: list[WriteProblem]
    seen_at: datetime
    #: The person whose events the run reads is the viewer.
    own: bool = True

    @property
    def ask_again_seconds(self) -> int | None:
        """When to ask again. None for a run that is over."""
        if self.run.finished_at is not None:
            return None
        since = self.run.started_at or self.seen_at
        return ask_again_seconds(self.seen_at - since, self.run.progress)

    @property
    def planned(self) -> int:
        """The number of writes that the plan requested."""
        return sum(count for (_, state), count in self.counts.items() if state is not OperationState.DRAFT)

    @property
    def done(self) -> int:
        """The number of writes in a final state."""
        still = (OperationState.DRAFT, OperationState.PLANNED, OperationState.SENT)
        return sum(count for (_, state), count in self.counts.items() if state not in still)


@dataclass(frozen=True, slots=True)
class BegunRun:
    """Whether a run may start, and how."""

    #: False if the run waits for another run or is over. Its orchestration ends at once.
    mine: bool
    correlation_id: str
    #: The run made progress lately, so it is driven again after the database was away for a while.
    patient: bool = False


class ArchivingService:
    """Archiving, from the request to the report."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports
        self._applier = Applier(ports)
        self._reconciler = Reconciler(ports)
        self._planner = RunPlanner(ports)
        self._finisher = Finisher(ports)

    async def start_run(
        self,
        caller: Caller,
        configuration_id: UUID,
        window_start: datetime | None = None,
        window_end: datetime | None = None,
        mode: RunMode = RunMode.NORMAL,
    ) -> StartedRun:
        """Queue a run of a window. The default is the window of the next nightly run.

        If the same window is queued or running already, that run is returned (domain.md 2.11). A run that
        replaces must name its window (2.10). Raises NotFound, and ValidationFailed naming the window's
        fields. Raises ArchiveInUse for the newer of two configurations with one source and one archive.
        Raises Conflict for an inactive configuration or a deactivated person (15.1).
        """
        if mode is RunMode.REPLACE and (window_start is None or window_end is None):
            message = "name the window whose copies should be replaced"
            raise ValidationFailed([FieldError("window_start", message, "missing")])
        async with self._ports.database.session() as session:
            configuration = await self._configuration(session, caller, configuration_id)
            if not configuration.active:
                raise Conflict("the archive configuration is not active")
            window = requested(self._ports, configuration, window_start, window_end)
            return await queue_run(
                self._ports, session, configuration, window, RunKind.MANUAL, caller.actor, mode=mode
            )

    async def retry_run(self, caller: Caller, run_id: UUID) -> StartedRun:
        """Queue a run of the same window as one that was cancelled or ended with errors (domain.md 2.12).

        Raises NotFound, and RunInProgress while that run is open. Raises Conflict if there is nothing to
        retry, or the configuration is inactive.
        """
        async with self._ports.database.session() as session:
            access = await Access.of(session, caller)
            run = await ArchiveRunRepository(session).get(caller.tenant_id, run_id, access.writable_owner)
            if run is None:
                raise NotFound("there is no such archive run")
            if not RunState(run.state).terminal:
                raise RunInProgress("the run is not over yet")
            if run.state == RunState.COMPLETED:
                raise Conflict("every write of the run was done", code="nothing_to_retry")
            configuration = await self._configuration(session, caller, run.configuration_id)
            if not configuration.active:
                raise Conflict("the archive configuration is not active")
            window = Window(run.window_start, run.window_end, ZoneInfo(configuration.time_zone))
            return await queue_run(
                self._ports,
                session,
                configuration,
                window,
                RunKind.RETRY,
                caller.actor,
                mode=RunMode(run.mode) if run.mode in _RETRIED_AS_THEY_ARE else RunMode.NORMAL,
            )

    async def get_run(self, caller: Caller, run_id: UUID) -> RunView:
        """A run that the caller may see. Raises NotFound."""
        async with self._ports.database.reading() as session:
            access = await Access.of(session, caller)
            run = await ArchiveRunRepository(session).get(caller.tenant_id, run_id, access.readable_owner)
            if run is None:
                raise NotFound("there is no such archive run")
            operations = ArchiveOperationRepository(session, run.owner_id, run.configuration_id)
            listed = ListedOperationRepository(session, run.owner_id)
            own = await reads_own(session, access, run.configuration_id)
            # Others do not see the number of private events while it may still grow (6.3).
            private = None if own else False
            return RunView(
                run,
                await operations.counts(run_id, private=private),
                await listed.problems(run_id, MAX_PROBLEMS, private=private),
                self._ports.clock.now(),
                own,
            )

    async def begin(self, run_id: UUID) -> BegunRun:
        """Make the run the running one of its configuration, if it is its turn.

        A run whose configuration may no longer name its calendars is barred here. It can only end (domain.md
        1).
        """
        async with self._ports.database.session() as session:
            runs = ArchiveRunRepository(session)
            run = await runs.get_unscoped(run_id)
            if run is None:
                return BegunRun(False, "")
            now = self._ports.clock.now()
            if not await runs.begin(run, now):
                return BegunRun(False, run.correlation_id)
            await bar_unauthorised(self._ports, session, run)
            progressed = await runs.progressed_at(run_id) or now
            return BegunRun(True, run.correlation_id, patient=now - progressed < PATIENCE)

    @asynccontextmanager
    async def acting_for(self, run_id: UUID) -> AsyncIterator[RunMode]:
        """Act with the run's correlation id for the person who requested it. Yields its mode.

        Raises NotFound.
        """
        async with self._ports.database.reading() as session:
            run = await ArchiveRunRepository(session).get_unscoped(run_id)
            if run is None:
                raise NotFound("there is no such archive run")
            configuration = await ArchiveConfigurationRepository(session).get(
                run.tenant_id, run.configuration_id
            )
            person = await person_read_id(session, configuration)
        caller = Caller(run.tenant_id, None, run.requested_by, frozenset(), app_only=True)
        acting = telemetry.ActingFor(person)
        with telemetry.bind(caller=caller, correlation=run.correlation_id, acting=acting):
            yield RunMode(run.mode)

    async def reconcile(self, run_id: UUID, attempt: int) -> ReconcileProgress:
        """See Reconciler.reconcile."""
        return await self._reconciler.reconcile(run_id, attempt)

    async def plan(self, run_id: UUID) -> PlanCounts:
        """See RunPlanner.plan."""
        return await self._planner.plan(run_id)

    async def apply(self, run_id: UUID) -> ApplyProgress:
        """See Applier.apply."""
        return await self._applier.apply(run_id)

    async def finish(self, run_id: UUID, reason: str | None = None) -> FinishedRun:
        """See Finisher.finish."""
        return await self._finisher.finish(run_id, reason)

    async def claim_due_jobs(self) -> list[UUID]:
        """Claim due jobs: create a run for each and set its next instant (8.2). See JobClaims.claim_due."""
        ports = self._ports
        return await JobClaims(ports.database, ports.clock, JobKind.ARCHIVE, self._claim).claim_due()

    async def to_drive(self) -> list[UUID]:
        """Runs that need a living orchestration. The dispatcher checks them."""
        async with self._ports.database.session() as session:
            before = self._ports.clock.now() - LOOKED_AFTER_EVERY
            return await ArchiveRunRepository(session).to_drive_unscoped(before, DRIVEN_RUNS_PER_TICK)

    async def mark_dispatched(self, *run_ids: UUID) -> None:
        """Record that the runs' orchestrations were started, or are alive."""
        async with self._ports.database.session() as session:
            await ArchiveRunRepository(session).set_dispatched(run_ids, self._ports.clock.now())

    async def _claim(self, session: AsyncSession, jobs: Sequence[Job]) -> list[UUID]:
        """Queue the nightly runs of jobs that the caller has claimed, and set their next instants."""
        now = self._ports.clock.now()
        following = {
            job.id: schedule.next_run(schedule.parse(job.schedule), ZoneInfo(job.time_zone), now)
            for job in jobs
        }
        await JobRepository(session).advance(following)
        configurations = await ArchiveConfigurationRepository(session).lock_all_unscoped(
            [job.configuration_id for job in jobs]
        )
        again = await windows_to_read_again(session, list(configurations.values()), now)
        drafts: list[RunDraft] = []
        for job in jobs:
            configuration = configurations.get(job.configuration_id)
            if configuration is None or not configuration.active or configuration.archive_in_use:
                continue
            if waits_for_approval(configuration, now):
                continue
            window = nightly(self._ports, configuration)
            beside = beyond(again.get(configuration.id, ()), window)
            drafts += [await self._draft(configuration, each) for each in beside]
            if window is not None:
                drafts.append(await self._draft(configuration, window, job))
        return [started.run.id for started in await queue_drafts(self._ports, session, drafts)]

    async def _draft(
        self, configuration: ArchiveConfiguration, window: Window, job: Job | None = None
    ) -> RunDraft:
        """The run of a job, or a run that only repeats a read that failed before (domain.md 2.12)."""
        with telemetry.bind(
            caller=Caller.system(configuration.tenant_id, "dispatch_due_jobs"),
            correlation=telemetry.new_correlation_id(),
            parent_correlation=telemetry.correlation_id.get() or None,
        ):
            return await draft_run(
                self._ports,
                configuration,
                window,
                RunKind.RETRY if job is None else RunKind.NIGHTLY,
                "system:dispatch_due_jobs",
                job=None if job is None else job.id,
                scheduled_for=None if job is None else job.next_run_at,
            )

    async def _configuration(
        self, session: AsyncSession, caller: Caller, configuration_id: UUID
    ) -> ArchiveConfiguration:
        access = await Access.of(session, caller)
        configurations = ArchiveConfigurationRepository(session)
        found = await configurations.get(caller.tenant_id, configuration_id, access.writable_owner)
        # Locked until the run is queued, because a configuration with an open run is not deleted.
        held = found and await configurations.lock(caller.tenant_id, configuration_id, shared=True)
        if held is None:
            raise NotFound("there is no such archive configuration")
        if not (await access.writable_user(held.owner_id)).active:
            raise Conflict("its owner is deactivated", code="user_deactivated")
        await refuse_paused_pair(session, access, held, self._ports.audit)
        await authorise(session, caller, held)
        return held
