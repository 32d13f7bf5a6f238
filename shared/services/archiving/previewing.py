"""A dry run: what a run of a window would do, without writing anything (design.md, Plan)."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import replace
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.domain.events.source_event import SourceEvent
from shared.domain.identity.caller import Caller
from shared.domain.planning.archive_plan import Decision, PlannedGroup
from shared.domain.planning.decision import Action, Consume, LeaveOut, Merge, Unchanged, times_of
from shared.domain.planning.modifications import ModifiedTimes
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archive_run import OperationAction, OperationState, RunKind, RunMode, RunState
from shared.domain.runs.outcome import Outcome
from shared.domain.runs.plan_counts import PlanCounts, planned_outcomes
from shared.domain.runs.window import Window
from shared.errors import Conflict, RunInProgress
from shared.services.approvals.objections import refuse_unauthorised
from shared.services.archiving.action_item_keeping import ActionItemKeeper
from shared.services.archiving.context import ArchivingPorts, RunContext, context_of
from shared.services.archiving.doubting import MeetingDoubts
from shared.services.archiving.gone_calendars import refused_until_rebuilt
from shared.services.archiving.locked_periods import lock_out_all
from shared.services.archiving.masked_reading import previewing_for
from shared.services.archiving.matching import SourceMatcher
from shared.services.archiving.plan_making import PlanMaking
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.planning import READINGS
from shared.services.archiving.results import Result, ResultRecorder
from shared.services.archiving.windows import requested
from shared.services.identity.access import Access
from shared.services.identity.ownership import writable_configuration
from shared.services.operation.system_settings import settings_in_force

_WRITES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class PreviewedEvent:
    """What a run would do with an event."""

    #: With the times of the copy. None for another person's private event.
    decision: Decision | None
    subject: str
    #: Start of the source event, UTC, as is ``end``.
    start: datetime
    end: datetime

    @property
    def archived_times(self) -> ModifiedTimes | None:
        """The times that modifications give to the copy, if any."""
        return None if self.decision is None else times_of(self.decision)

    @property
    def merged_into(self) -> str | None:
        """The source key of the representative, or of the meeting that consumes it."""
        match self.decision:
            case Merge(representative=key) | Consume(meeting=key):
                return key
            case _:
                return None

    @property
    def reason(self) -> LeftOut | None:
        """Why it is left out, if it is."""
        return self.decision.reason if isinstance(self.decision, LeaveOut) else None


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan of a window."""

    window: Window
    counts: dict[Action, int]
    #: What the run would report (2.13).
    outcomes: dict[Outcome, int]
    #: Another person's private events. All are in ``events`` and in no other number (domain.md 6.3).
    private: int
    plan: PlanCounts
    groups: tuple[PlannedGroup, ...]
    #: Events that a run would change, by start.
    events: tuple[PreviewedEvent, ...]
    #: How many events are not listed in ``events``.
    more: int
    #: Archived events of the window that its calendar no longer shows there.
    unseen: int
    #: Changed series to ask the owner about. None if another person's private events may be involved.
    series_questions: int | None
    #: How many copies would be superseded (2.17).
    superseded: int


class Previewer:
    """Plans with the planner of a run, in a transaction that is rolled back."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def preview(
        self,
        caller: Caller,
        configuration_id: UUID,
        start: datetime | None,
        end: datetime | None,
        limit: int,
    ) -> Preview:
        """Plan ``[start, end)``, or the next nightly window. At most ``limit`` events are named.

        It does not foresee what only writing reveals: copies that their owner edited, and writes that the
        store refuses. Raises NotFound, ValidationFailed naming the window, and RunInProgress while a run is
        in progress. Raises Conflict if a run would be refused its calendars or must wait for a rebuild
        (domain.md 1), and the errors of reading the calendar.
        """
        async with self._ports.database.session() as session:
            access = await Access.of(session, caller)
            configuration = await writable_configuration(session, access, configuration_id)
            await refuse_unauthorised(session, caller.tenant_id, configuration_id)
            window = requested(self._ports, configuration, start, end)
            run = _imagined(configuration, window, self._ports.clock.now())
            context = context_of(run, configuration)
            runs = ArchiveRunRepository(session)
            if await runs.any_running(context.owner_id, context.configuration_id):
                raise RunInProgress("a run is in progress; ask again when it is over", retry_after=5)
            refused = await refused_until_rebuilt(session, context)
            if refused is not None:
                raise Conflict(refused.refused or "", code="archive_calendar_gone")
            in_force = await settings_in_force(session, self._ports.settings, caller.tenant_id)
            agreed = await self._agreed(session, caller, configuration)
        context = replace(context, policies=replace(context.policies, travel_words=in_force.travel_words))
        viewer = context.origin_id if agreed else caller.person
        ports = previewing_for(self._ports, context, viewer)
        expiry, for_others = timedelta(days=in_force.overlap_expiry_days), viewer != context.origin_id
        rehearsal = _Rehearsal(ports, context, limit, expiry, for_others=for_others)
        async with self._ports.database.rehearsal():
            return await rehearsal.play(run)

    async def _agreed(
        self, session: AsyncSession, caller: Caller, configuration: ArchiveConfiguration
    ) -> bool:
        """Whether the caller may see private events: their own, or its person permits it (6.5)."""
        access = await Access.of(session, caller)
        owns = access.own is not None and access.own.id == configuration.owner_id
        return owns and configuration.names_another and not configuration.masks_private_events


class _RehearsalTurn(PlanTurn):
    """A plan turn without competitors: nobody else makes this plan."""

    def __init__(self, ports: ArchivingPorts, run_id: UUID) -> None:
        super().__init__(ports, run_id, attempt=1)
        self._database = ports.database

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A part of the transaction that is rolled back."""
        async with self._database.session() as session:
            yield session


class _Rehearsal:
    """A plan that is made only to be shown. It keeps the shown events by key."""

    def __init__(
        self, ports: ArchivingPorts, context: RunContext, limit: int, expiry: timedelta, *, for_others: bool
    ) -> None:
        self._for_others = for_others
        self._ports = ports
        self._context = context
        self._limit = limit
        self._expiry = expiry
        self._start_over()

    def _start_over(self) -> None:
        self._events: dict[str, SourceEvent] = {}
        self._decisions: dict[str, Decision] = {}
        self._counts: Counter[Action] = Counter()
        self._groups: list[PlannedGroup] = []

    async def play(self, run: ArchiveRun) -> Preview:
        """Make the plan, and mark what locked periods would forbid."""
        context = self._context
        async with self._ports.database.session() as session:
            session.add(run)
            await session.flush()
            await self._treat_open_writes_as_done(session)
            open_keys = await context.operations(session).open_keys(run.id)
        turn = _RehearsalTurn(self._ports, run.id)
        doubts = MeetingDoubts(context, ActionItemKeeper(self._ports, context, self._expiry))
        async with turn.session() as session:
            await doubts.load(session)
        matcher = SourceMatcher(self._ports, context, turn, open_keys, doubts, for_others=self._for_others)
        for reading in range(READINGS):
            self._start_over()
            async with turn.session() as session:
                await context.operations(session).clear_unsent(run.id)
            making = PlanMaking(self._ports, turn, context, open_keys, self._expiry, matcher, self)
            counts = await making.run(last=reading == READINGS - 1)
            if counts is not None:
                return await self._preview(counts, making.unseen)
        raise AssertionError("the last reading ends in a plan")

    async def _treat_open_writes_as_done(self, session: AsyncSession) -> None:
        """Treat open writes as done. A real run reconciles them first."""
        operations = self._context.operations(session)
        recorder = ResultRecorder(self._ports, self._context)
        tomorrow = self._ports.clock.now() + timedelta(days=1)
        while sent := await operations.forgotten(tomorrow, _WRITES_AT_ONCE):
            done = [
                Result(each, OperationState.DONE, each.copy_id or f"supposed:{each.id}", "supposed")
                for each in sent
            ]
            await recorder.record_within(session, done)

    def met(self, events: Mapping[str, SourceEvent]) -> None:
        """See PlanWatch.met. Bodies are not needed."""
        self._events |= {key: replace(event, body="", attendees=()) for key, event in events.items()}

    def counted(self, decision: Decision, by: int, *, unsettled: bool) -> None:
        """See PlanWatch.counted."""
        event = self._events.get(decision.source_key)
        if unsettled or (event is not None and event.masked):
            return
        self._counts[decision.action] += by
        if by > 0:
            self._decisions[decision.source_key] = decision
        else:
            self._decisions.pop(decision.source_key, None)

    def grouped(self, groups: Sequence[PlannedGroup]) -> None:
        """See PlanWatch.grouped."""
        self._groups += groups

    async def _preview(self, counts: PlanCounts, unseen: int) -> Preview:
        context = self._context
        planned, masked = asdict(counts), any(event.masked for event in self._events.values())
        async with self._ports.database.session() as session:
            await lock_out_all(session, context, self._ports.clock.now())
            operations = context.operations(session)
            outcomes = planned_outcomes(planned)
            if masked:
                outcomes -= planned_outcomes(counts.private)
            private = False if masked else None
            writes = await operations.counts(context.run_id, margin=False, private=private)
            beside = await operations.counts(context.run_id, margin=True, private=private)
        for (action, state), count in writes.items():
            outcome = Outcome.ARCHIVED if action is OperationAction.CREATE else Outcome.UPDATED
            outcomes[Outcome.LOCKED if state is OperationState.LOCKED else outcome] += count
        named = self._named()
        return Preview(
            context.window,
            +self._counts,
            {outcome: outcomes[outcome] for outcome in Outcome},
            counts.source - sum(outcomes.values()),
            counts,
            tuple(self._groups),
            tuple(named[: self._limit]),
            max(0, len(named) - self._limit),
            unseen,
            None if masked else counts.series_questions,
            sum(count for (action, _), count in beside.items() if action is OperationAction.SUPERSEDE),
        )

    def _named(self) -> list[PreviewedEvent]:
        """Events that a run would change, and every private event of another person, by start."""
        named = [
            PreviewedEvent(decision, event.subject, event.start, event.end)
            for key, decision in self._decisions.items()
            if not isinstance(decision, Unchanged) and (event := self._events.get(key)) is not None
        ]
        window = self._context.window
        named += [
            PreviewedEvent(None, event.subject, event.start, event.end)
            for event in self._events.values()
            if event.masked and window.owns(event)
        ]
        return sorted(named, key=lambda each: (each.start, each.end, each.subject))


def _imagined(configuration: ArchiveConfiguration, window: Window, now: datetime) -> ArchiveRun:
    """The run of a dry run. It is over already, so nothing drives it or waits for it."""
    return ArchiveRun(
        id=uuid4(),
        tenant_id=configuration.tenant_id,
        owner_id=configuration.owner_id,
        configuration_id=configuration.id,
        kind=RunKind.MANUAL,
        mode=RunMode.NORMAL,
        window_start=window.start,
        window_end=window.end,
        state=RunState.CANCELLED,
        cancel_requested=False,
        requested_by="",
        created_at=now,
        correlation_id=telemetry.correlation_id.get() or "",
    )
