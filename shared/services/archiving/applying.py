"""Apply: send planned operations, one batch in flight, with commits in parallel (design.md, Apply)."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archive_operations import ClaimedOperation
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.locked_periods import LockedPeriodRepository
from shared.database.repositories.archiving.mailbox_gates import WriteTurn
from shared.domain.runs.archive_run import OperationState
from shared.services.archiving.context import ArchivingPorts, RunContext, accounted, load_context
from shared.services.archiving.lease import HeldLease, LeaseLost, mailbox_lease
from shared.services.archiving.locked_periods import is_locked
from shared.services.archiving.results import ResultRecorder, recordable
from shared.services.archiving.sending import BatchOutcome, BatchSender

BATCH_OPERATIONS = 20
BATCH_BYTES = 3_000_000
# After this many batches in a row without any result, Apply stops and comes back later.
FRUITLESS_BATCHES_IN_A_ROW = 2


@dataclass(frozen=True, slots=True)
class ApplyProgress:
    """How far one ``apply`` came."""

    done: int
    failed: int
    remaining: int
    #: Set if the mailbox or another holder makes us wait.
    resume_at: datetime | None


class Applier:
    """Sends the planned operations of a run while it holds the lease of the archive mailbox."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def apply(self, run_id: UUID) -> ApplyProgress:
        """Send until nothing is planned, the budget is used, cancel is requested, or a long wait is due.

        Safe to call twice or from two places, because only the holder of the lease sends. Raises NotFound.
        """
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
        async with accounted(self._ports, context):
            try:
                async with mailbox_lease(self._ports, context.archive_mailbox_id) as lease:
                    if lease is None:
                        return await self._busy(context)
                    return await _Application(self._ports, context, lease).run()
            except LeaseLost:
                return await self._busy(context)

    async def _busy(self, context: RunContext) -> ApplyProgress:
        resume_at = self._ports.clock.now() + self._ports.busy_pause
        async with self._ports.database.session() as session:
            remaining = await context.operations(session).remaining(context.run_id, OperationState.PLANNED)
        return ApplyProgress(0, 0, remaining, resume_at if remaining else None)


class _Application:
    """One ``apply`` under a held lease."""

    def __init__(self, ports: ArchivingPorts, context: RunContext, lease: HeldLease) -> None:
        self._ports = ports
        self._context = context
        self._lease = lease
        self._sender = BatchSender(ports, context)
        self._recorder = ResultRecorder(ports, context)
        self._deadline = ports.clock.now() + timedelta(seconds=ports.settings.apply_time_budget_seconds)
        self._budget = ports.settings.apply_operation_budget
        self._done = self._failed = self._fruitless_in_a_row = 0

    async def run(self) -> ApplyProgress:
        """Send batch k while k+1 is claimed and k-1 is recorded."""
        resume_at: datetime | None = None
        previous = BatchOutcome()
        batch = await self._turn_over(previous)
        while batch:
            resume_at = await self._lease.wait_out_pause()
            if resume_at is not None:
                break
            outcome, batch = await self._step(batch, previous)
            previous = outcome
            if self._fruitless_in_a_row >= FRUITLESS_BATCHES_IN_A_ROW:
                resume_at = self._ports.clock.now() + self._ports.busy_pause
                break
        await self._turn_over(previous, last=True)
        await self._put_back(batch)
        return await self._progress(resume_at)

    async def _step(
        self, batch: list[ClaimedOperation], previous: BatchOutcome
    ) -> tuple[BatchOutcome, list[ClaimedOperation]]:
        # Both are awaited before an error is raised, so that no request stays in flight.
        sent, claimed = await asyncio.gather(
            self._sender.send(self._lease, batch), self._turn_over(previous), return_exceptions=True
        )
        for outcome in (claimed, sent):
            if isinstance(outcome, BaseException):
                raise outcome
        assert isinstance(sent, BatchOutcome)  # noqa: S101 - narrows what gather returns
        assert isinstance(claimed, list)  # noqa: S101
        await self._sender.answer_questions(self._lease, sent)
        fruitless = all(result.state is OperationState.PLANNED for result in sent.results)
        self._fruitless_in_a_row = self._fruitless_in_a_row + 1 if fruitless else 0
        return sent, claimed

    async def _turn_over(self, previous: BatchOutcome, *, last: bool = False) -> list[ClaimedOperation]:
        """Record one batch and claim the next in one transaction. After the ``last`` batch, claim none."""
        results = recordable(previous.results)
        in_time = self._ports.clock.now() < self._deadline
        count = min(BATCH_OPERATIONS, self._budget) if in_time and not last else 0
        if not results and count <= 0:
            return []
        async with self._ports.database.session() as session:
            turn = await self._lease.take_turn(session, self._context.owner_id, self._context.run_id)
            if results:
                await self._recorder.record_within(session, results)
            claimed = await self._claim(session, turn, count) if count > 0 else []
        self._budget -= len(claimed)
        self._done += sum(r.state is OperationState.DONE for r in results)
        self._failed += sum(r.state is OperationState.FAILED for r in results)
        return claimed

    async def _claim(self, session: AsyncSession, turn: WriteTurn, count: int) -> list[ClaimedOperation]:
        now = self._ports.clock.now()
        operations = self._context.operations(session)
        if turn.cancel_requested:
            # Drafts of an unfinished plan are no decisions. Finishing deletes them.
            if self._context.planned:
                await operations.cancel_planned(self._context.run_id, now)
            return []
        claim = partial(operations.claim, self._context.run_id, now, count, BATCH_BYTES)
        claimed = await claim(locks_checked=False)
        if not claimed and await self._lock(session, count):
            claimed = await claim()
        return claimed

    async def _lock(self, session: AsyncSession, count: int) -> bool:
        """Mark claimed writes in locked periods as locked. False if no period is locked (2.8).

        The transaction holds the owner's lock, so no period is locked before its writes are marked sent.
        """
        locks, owner_id = LockedPeriodRepository(session), self._context.owner_id
        periods = await locks.in_force(owner_id)
        zone = self._context.window.zone
        while periods:
            following = await locks.next_writes(owner_id, self._context.run_id, count)
            locked = [write["id"] for write in following if is_locked(write, periods, zone)]
            if not locked:
                # A run that restores recorded copies plans nothing else that a lock could forbid.
                return True
            now = self._ports.clock.now()
            await locks.lock_out(owner_id, locked, now)
            await ArchiveRunRepository(session).add_written(owner_id, self._context.run_id, len(locked), now)
            await self._ports.audit.record(
                session,
                "archive_run.batch",
                "archive_run",
                self._context.run_id,
                {"operations": {str(OperationState.LOCKED): [str(each) for each in locked]}},
                on_behalf_of=owner_id,
            )
        return False

    async def _put_back(self, batch: list[ClaimedOperation]) -> None:
        """Plan operations again that were marked sent and certainly never left."""
        if batch:
            async with self._ports.database.session() as session:
                await self._lease.hold(session)
                operations = self._context.operations(session)
                ids = [operation.id for operation in batch]
                await ArchiveRunRepository(session).hold_unscoped([self._context.run_id])
                await operations.unsend(ids)
                await operations.cancel_orphans(ids, self._ports.clock.now())

    async def _progress(self, resume_at: datetime | None) -> ApplyProgress:
        async with self._ports.database.session() as session:
            remaining = await self._context.operations(session).remaining(
                self._context.run_id, OperationState.PLANNED
            )
        return ApplyProgress(self._done, self._failed, remaining, resume_at if remaining else None)
