"""Plan: decide page by page what a run writes, and store it as operations (design.md, Plan)."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.runs.archive_run import RunKind, RunState
from shared.domain.runs.plan_counts import CALENDAR_NOT_FOUND, CALENDAR_REFUSED, PlanCounts
from shared.errors import NotFound, StoreRefused, Unavailable
from shared.services.archiving.action_item_keeping import ActionItemKeeper
from shared.services.archiving.context import ArchivingPorts, RunContext, accounted, load_context
from shared.services.archiving.doubting import MeetingDoubts
from shared.services.archiving.gone_calendars import (
    ARCHIVE_CALENDAR_GONE,
    note_found,
    note_gone,
    refused_until_rebuilt,
    seems_gone,
)
from shared.services.archiving.masked_reading import reading_for
from shared.services.archiving.matching import SourceMatcher
from shared.services.archiving.plan_making import PlanMaking
from shared.services.archiving.plan_turn import PlanCancelled, PlanSuperseded, PlanTurn, record_plan
from shared.services.archiving.unread_events import dated
from shared.services.operation.system_settings import settings_in_force

__all__ = ["PlanCounts", "RunPlanner"]

# The second reading finds rows that the first one handed on. The third is for a calendar that changes between
# them. If a plan is not tried again, one more reading lets wait what the third still matched.
READINGS = 3


class RunPlanner:
    """Plans runs. Planning a planned run again returns the stored counts."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Read the window, decide for every event, and store the writes as operations.

        If the source or archive calendar is gone or refused, the plan ends with ``refused`` and writes
        nothing. So it does until a rebuild that did not end has created every copy (domain.md 1). An archive
        calendar that is gone is recorded. Raises NotFound, and StoreUnavailable for a temporary failure to
        read.
        """
        began = self._ports.clock.now()
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
            runs = ArchiveRunRepository(session)
            attempt = await runs.begin_plan(run_id)
            if attempt is None:
                return _stored(await runs.get_unscoped(run_id))
            await context.operations(session).clear_unsent(run_id)
            open_keys = await context.operations(session).open_keys(run_id)
            in_force = await settings_in_force(session, self._ports.settings, context.tenant_id)
            refused = await refused_until_rebuilt(session, context)
        policies = replace(context.policies, travel_words=in_force.travel_words)
        context = replace(context, policies=policies)
        expiry = timedelta(days=in_force.overlap_expiry_days)
        turn = PlanTurn(self._ports, run_id, attempt)
        try:
            async with accounted(self._ports, context):
                counts = refused or await self._decide(turn, context, open_keys, expiry)
            await self._complete(turn, context, counts, began)
        except PlanCancelled:
            return PlanCounts()
        except PlanSuperseded:
            return await self._planned_by_another(run_id)
        return counts

    async def _decide(
        self, turn: PlanTurn, context: RunContext, open_keys: frozenset[str], expiry: timedelta
    ) -> PlanCounts:
        try:
            ports = reading_for(self._ports, context)
            return await self._make(ports, turn, context, open_keys, expiry)
        except StoreRefused as refused:
            reason, gone = f"{refused.reason}: {refused.detail}", refused.gone
        except NotFound as missing:
            reason, gone = missing.detail, True
        lost = gone and await seems_gone(
            self._ports, context.tenant_id, context.archive_mailbox, context.archive_calendar_id
        )
        code = ARCHIVE_CALENDAR_GONE if lost else CALENDAR_NOT_FOUND if gone else CALENDAR_REFUSED
        return PlanCounts(refused=reason, gone=gone, code=code)

    async def _make(
        self,
        ports: ArchivingPorts,
        turn: PlanTurn,
        context: RunContext,
        open_keys: frozenset[str],
        expiry: timedelta,
    ) -> PlanCounts:
        """Read the pages, and read them again if a gone row and a new event were the same meeting (2.16)."""
        doubts = MeetingDoubts(context, ActionItemKeeper(ports, context, expiry))
        async with turn.session() as session:
            await doubts.load(session)
        matcher = SourceMatcher(ports, context, turn, open_keys, doubts)
        readings = READINGS if turn.patient else READINGS + 1
        for reading in range(readings):
            if reading:
                async with turn.session() as session:
                    await context.operations(session).clear_unsent(context.run_id)
            making = PlanMaking(ports, turn, context, open_keys, expiry, matcher)
            counts = await making.run(last=reading == readings - 1)
            if counts is not None:
                return counts
        raise AssertionError("the last reading ends in a plan")

    async def _planned_by_another(self, run_id: UUID) -> PlanCounts:
        """The plan of the attempt that superseded this one, once it is complete. Raises Unavailable."""
        seconds = self._ports.settings.apply_time_budget_seconds
        deadline = self._ports.clock.now() + timedelta(seconds=seconds)
        while self._ports.clock.now() < deadline:
            async with self._ports.database.session() as session:
                run = await ArchiveRunRepository(session).get_unscoped(run_id)
                stopped = run is None or run.cancel_requested or RunState(run.state).terminal
                if stopped or run is None or run.planned_at is not None:
                    return _stored(run)
            await self._ports.clock.sleep(self._ports.busy_pause.total_seconds())
        raise Unavailable("Another attempt at planning the run did not end.")

    async def _complete(
        self, turn: PlanTurn, context: RunContext, counts: PlanCounts, began: datetime
    ) -> None:
        archive = context.owner_id, context.configuration_id, context.archive_calendar_id
        async with turn.session() as session:
            if counts.refused is not None:
                await context.operations(session).clear_unsent(context.run_id)
                if counts.code == ARCHIVE_CALENDAR_GONE:
                    await note_gone(session, self._ports, *archive)
            else:
                # A backfill's month without events does not read the archive calendar.
                if context.archive_gone and context.kind is not RunKind.BACKFILL:
                    await note_found(session, self._ports, *archive)
                await ArchiveConfigurationRepository(session).set_archived_until(
                    context.owner_id,
                    context.configuration_id,
                    context.window.end,
                    covered_from=context.window.start,
                )
                await context.overlaps(session).carried_out(began, context.window.start, context.window.end)
            counts = await dated(session, context, counts, self._ports.clock.now())
            await record_plan(session, self._ports, context, counts)


def _stored(run: ArchiveRun | None) -> PlanCounts:
    return PlanCounts.stored(run.plan if run else None)
