"""The run that makes the copies of a lost archive calendar anew, from our record (domain.md 1)."""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.lost_copies import LostCopy, LostCopyRepository
from shared.domain.runs.archive_run import RunMode, RunState
from shared.domain.runs.run_progress import RunStep, planning_percent
from shared.errors import Conflict, NotFound, StoreRefused
from shared.services.archiving.context import ArchivingPorts, RunContext, accounted, load_context
from shared.services.archiving.drafting import OperationDrafter
from shared.services.archiving.gone_calendars import ARCHIVE_CALENDAR_GONE, is_gone, note_found, note_gone
from shared.services.archiving.plan_counts import PlanCounts
from shared.services.archiving.plan_turn import PlanCancelled, PlanSuperseded, PlanTurn, record_plan
from shared.services.archiving.recorded_copies import restored

#: Copies planned in one transaction: however large the archive, no more of it is held.
CHUNK: Final = 500


class RebuildRuns:
    """Plans them and ends them; sending and settling is that of every run."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Plan one create for each copy that is lost, as it is recorded, whether its source is there or not.

        What its owner had removed stays removed. Copies of a locked period come back like the others: they
        change nothing of what the record says (2.8). Planning again what is planned returns the stored
        counts. Raises NotFound, StoreUnavailable when the archive calendar cannot be looked for now, and
        Conflict while another attempt is at it.
        """
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
            runs = ArchiveRunRepository(session)
            attempt = await runs.begin_plan(run_id)
            if attempt is None:
                run = await runs.get_unscoped(run_id)
                return PlanCounts(**((run.plan if run else None) or {}))
            await context.operations(session).clear_unsent(run_id)
            total = (await _lost(session, context).standing()).amount
        turn = PlanTurn(self._ports, run_id, attempt)
        try:
            async with accounted(self._ports, context):
                refused = await self._refusal(context)
            return (
                await self._plan(turn, context, total)
                if refused is None
                else await self._refuse(turn, context, refused)
            )
        except PlanCancelled:
            return PlanCounts()
        except PlanSuperseded:
            raise Conflict("another attempt plans the run", retry_after=5) from None

    async def finished(self, run_id: UUID) -> None:
        """The run is over: if the archive is there again, so are its jobs. Again it changes nothing.

        Where it was cancelled or could not go on they wait for the next rebuild. Single copies that were
        refused are no reason to wait: they are listed, and the next rebuild tries them again.
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
        """Why nothing can be written: the calendar was deleted again, or is refused; None where it can."""
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
                rows = await _lost(session, context).page(after, CHUNK)
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
        records = {row.source_key: restored(row.record, row.start_at) for row in rows}
        await drafter.add_recorded(session, records, entries)


def _lost(session: AsyncSession, context: RunContext) -> LostCopyRepository:
    return LostCopyRepository(session, context.owner_id, context.configuration_id)


def _archive(context: RunContext) -> tuple[UUID, UUID, str]:
    return context.owner_id, context.configuration_id, context.archive_calendar_id
