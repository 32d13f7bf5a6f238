"""Reconcile: find out what became of writes whose answer was lost (design.md, Reconcile).

While the store remembers a transactionId, the identical write is sent again. Later the copy is searched by
its archive key, after search has had time to see it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.database.repositories.archiving.archive_operations import ClaimedOperation
from shared.domain.runs.archive_run import OperationAction, OperationState
from shared.errors import NotFound
from shared.services.archiving.applying import BATCH_BYTES, BATCH_OPERATIONS
from shared.services.archiving.context import ArchivingPorts, RunContext, accounted, load_context
from shared.services.archiving.lease import HeldLease, LeaseLost, mailbox_lease
from shared.services.archiving.results import Result, ResultRecorder
from shared.services.archiving.sending import BatchSender, adopted

_LOOK_UPS = 100


@dataclass(frozen=True, slots=True)
class ReconcileProgress:
    """How many writes are still open."""

    #: Operations whose effect is still unknown. 0 if nothing can become known now.
    open: int
    #: When to try again.
    resume_at: datetime | None


class Reconciler:
    """Reconciles every open operation of a configuration, from this run or an earlier one."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def reconcile(self, run_id: UUID, attempt: int) -> ReconcileProgress:
        """Resend or look up each open operation once. ``attempt`` counts from 0 and spaces the next attempt.

        A run whose calendars may no longer be named writes nothing and resends nothing. Raises NotFound for
        an unknown run, and StoreUnavailable if a lookup fails permanently.
        """
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
            if context.barred or not await context.operations(session).sent():
                return ReconcileProgress(0, None)
        async with accounted(self._ports, context):
            try:
                async with mailbox_lease(self._ports, context.archive_mailbox_id) as lease:
                    if lease is not None:
                        return await _Reconciliation(self._ports, context, lease, attempt).run()
            except LeaseLost:
                pass
        async with self._ports.database.session() as session:
            left = await context.operations(session).sent()
        resume_at = self._ports.clock.now() + self._ports.busy_pause
        return ReconcileProgress(left, resume_at if left else None)


class _Reconciliation:
    """One ``reconcile`` under a held lease."""

    def __init__(self, ports: ArchivingPorts, context: RunContext, lease: HeldLease, attempt: int) -> None:
        self._ports = ports
        self._context = context
        self._lease = lease
        self._attempt = attempt
        self._sender = BatchSender(ports, context)
        self._recorder = ResultRecorder(ports, context)
        self._began = ports.clock.now()
        self._resume_at: list[datetime] = []

    async def run(self) -> ReconcileProgress:
        """Look up first the writes that must not be repeated blindly, then resend the others.

        If the archive calendar is gone, the writes stay open until a rebuild (domain.md 1).
        """
        paused = await self._lease.wait_out_pause()
        if paused is None:
            try:
                await self._look_up_forgotten()
                await self._resend_remembered()
            except NotFound:
                return ReconcileProgress(0, None)
        async with self._ports.database.session() as session:
            left = await self._context.operations(session).sent()
        return ReconcileProgress(left, self._next_attempt(paused) if left else None)

    @property
    def _remembered_since(self) -> datetime:
        return self._began - timedelta(seconds=self._ports.settings.transaction_memory_seconds)

    async def _look_up_forgotten(self) -> None:
        async with self._ports.database.session() as session:
            operations = await self._context.operations(session).forgotten(self._remembered_since, _LOOK_UPS)
        delay = timedelta(seconds=self._ports.settings.settle_lookup_delay_seconds)
        for operation in operations:
            due = operation.last_sent_at + delay
            if due > self._ports.clock.now():
                self._resume_at.append(due)
                continue
            await self._lease.cover_one_batch()
            await self._reconcile_by_lookup(operation)

    async def _reconcile_by_lookup(self, operation: ClaimedOperation) -> None:
        copies = await self._sender.find_copies(operation)
        create = operation.action is OperationAction.CREATE
        if copies and (create or self._sender.has_effect(operation, copies[0])):
            await self._recorder.record(self._lease, [adopted(operation, copies)])
        elif not copies and not create:
            looked_up = await self._sender.look_up(operation)
            await self._recorder.record(self._lease, [looked_up], resend=True)
        else:
            async with self._ports.database.session() as session:
                await self._lease.hold(session)
                await self._context.operations(session).restart_sending(
                    operation.id, self._began, self._began - timedelta(microseconds=1)
                )

    async def _resend_remembered(self) -> None:
        while operations := await self._claim():
            outcome = await self._sender.send(self._lease, operations)
            await self._sender.answer_questions(self._lease, outcome)
            await self._recorder.record(self._lease, _kept_sent(outcome.results), resend=True)
            if any(result.gone for result in outcome.results):
                raise NotFound("the archive calendar is gone")
            if outcome.paused or outcome.unknown:
                return

    async def _claim(self) -> Sequence[ClaimedOperation]:
        async with self._ports.database.session() as session:
            await self._lease.renew(session)
            return await self._context.operations(session).claim_resend(
                now=self._ports.clock.now(),
                remembered_since=self._remembered_since,
                before=self._began,
                count=BATCH_OPERATIONS,
                max_bytes=BATCH_BYTES,
            )

    def _next_attempt(self, paused: datetime | None) -> datetime:
        """Exponential with jitter, never before the mailbox's pause ends."""
        backoff = min(2.0**self._attempt, 60.0) * random.uniform(0.5, 1.0)
        soonest = self._ports.clock.now() + timedelta(seconds=backoff)
        if paused is not None:
            return max(soonest, paused)
        return min([soonest, *self._resume_at]) if not self._resume_at else max(soonest, min(self._resume_at))


def _kept_sent(results: Sequence[Result]) -> list[Result]:
    """The effect of a resent operation was unknown before.

    That the resend did not leave proves nothing. Nor does it that the calendar is gone by now.
    """
    return [
        result
        for result in results
        if not result.gone
        and (result.state is not OperationState.PLANNED or result.etag is not None or result.recreate)
    ]
