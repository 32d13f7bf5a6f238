"""The run that creates the copies of a lost archive calendar again, from our record (domain.md 1)."""

from copy import replace
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.lost_copies import LostCopy
from shared.domain.runs.archive_run import RunMode, RunState
from shared.domain.runs.plan_counts import PlanCounts
from shared.domain.runs.run_progress import RunStep, planning_percent
from shared.errors import Conflict, NotFound, StoreRefused
from shared.services.archiving.context import ArchivingPorts, RunContext, accounted, load_context
from shared.services.archiving.drafting import OperationDrafter
from shared.services.archiving.gone_calendars import (
    ARCHIVE_CALENDAR_GONE,
    is_gone,
    lost_copies,
    note_found,
    note_gone,
)
from shared.services.archiving.plan_turn import PlanCancelled, PlanSuperseded, PlanTurn, record_plan

#: Copies planned in one transaction, so that large archives need no more memory.
CHUNK: Final = 500


class RebuildRuns:
    """Plans and ends these runs. They are sent and reconciled like every other run."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Plan one create for each lost copy, as recorded, whether or not its source exists.

        Copies that their owner removed stay removed. Copies of a locked period come back too, because the
        record does not change (2.8). Planning a planned run again returns the stored counts. Raises NotFound,
        StoreUnavailable if the archive calendar cannot be checked now, and Conflict while another attempt
        plans.
        """
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
            runs = ArchiveRunRepository(session)
            attempt = await runs.begin_plan(run_id)
            if attempt is None:
                run = await runs.get_unscoped(run_id)
                return PlanCounts.stored(run.plan if run else None)
            await context.operations(session).clear_unsent(run_id)
            total = (await lost_copies(session, context).standing()).amount
        turn = PlanTurn(self._ports, run_id, attempt)
        try:
            async with accounted(self._ports, context):
                refused = await self._refusal(context)
            if refused is not None:
                return await self._refuse(turn, context, refused)
            return await self._plan(turn, context, total)
        except PlanCancelled:
            return PlanCounts()
        except PlanSuperseded:
            raise Conflict("another attempt plans the run", retry_after=5) from None

    async def finished(self, run_id: UUID) -> None:
        """After the run, if the archive exists again, its jobs resume. A second call changes nothing.

        If the run was cancelled or could not continue, they wait for the next rebuild. Single refused copies
        do not matter: they are listed, and the next rebuild tries them again.
        """
        async with self._ports.database.session() as session:
            run = await ArchiveRunRepository(session).get_unscoped(run_id)
            if run is None or run.mode != RunMode.REBUILD:
                return
            over = run.state in (RunState.COMPLETED, RunState.COMPLETED_WITH_ERRORS)
            if not over or (run.report or {}).get("reason") is not None:
                return
            context = await load_context(session, run_id)
            if context.archive_gone:
                await note_found(session, self._ports, *_archive(context))

    async def _refusal(self, context: RunContext) -> PlanCounts | None:
        """Why the copies cannot be created now, as the counts of a plan. None if they can."""
        try:
            if not await is_gone(
                self._ports, context.tenant_id, context.archive_mailbox, context.archive_calendar_id
            ):
                return None
        except StoreRefused as refused:
            reason = f"{refused.reason}: {refused.detail}"
            return PlanCounts(refused=reason, gone=refused.gone)
        except NotFound as missing:
            return PlanCounts(refused=missing.detail, gone=True)
        reason = "the archive calendar does not exist any more"
        return PlanCounts(refused=reason, gone=True, code=ARCHIVE_CALENDAR_GONE)

    async def _refuse(self, turn: PlanTurn, context: RunContext, counts: PlanCounts) -> PlanCounts:
        async with turn.session() as session:
            if counts.code == ARCHIVE_CALENDAR_GONE:
                await note_gone(session, self._ports, *_archive(context))
            await record_plan(session, self._ports, context, counts)
        return counts

    async def _plan(self, turn: PlanTurn, context: RunContext, total: int) -> PlanCounts:
        drafter = OperationDrafter(self._ports, context)
        seen = planned = 0
        after: LostCopy | None = None
        while True:
            async with turn.session() as session:
                rows = await lost_copies(session, context).page(after, CHUNK)
                free = [row for row in rows if not row.busy]
                await self._draft(session, context, drafter, free)
                seen, planned = seen + len(rows), planned + len(free)
                if len(rows) < CHUNK:
                    counts = PlanCounts(
                        source=seen,
                        planned=planned,
                        unsettled=seen - planned,
                        zones_reported=drafter.zones_reported,
                    )
                    await record_plan(session, self._ports, context, counts)
                    return counts
                runs = ArchiveRunRepository(session)
                await runs.enter_step(
                    context.run_id, RunStep.PLANNING, planning_percent(seen / max(total, 1))
                )
            after = rows[-1]

    async def _draft(
        self, session: AsyncSession, context: RunContext, drafter: OperationDrafter, rows: list[LostCopy]
    ) -> None:
        entries = await context.archived_events(session).by_keys([row.source_key for row in rows])
        records = {row.source_key: replace(row.record, owning_start=row.start_at) for row in rows}
        await context.operations(session).add(context.run_id, drafter.recorded(records, entries))


def _archive(context: RunContext) -> tuple[UUID, UUID, str]:
    return context.owner_id, context.configuration_id, context.archive_calendar_id
