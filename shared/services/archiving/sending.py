"""Sends one batch and finds out the result of each write (design.md, Answers, Updating)."""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archive_operations import ClaimedOperation
from shared.domain.calendars.calendar_port import Write, WriteAnswer, WriteVerdict
from shared.domain.copies.calendar_copy import Copy, same_content
from shared.domain.copies.copy_body import written_content
from shared.domain.runs.archive_run import OperationAction, OperationState, RunMode
from shared.errors import StoreUnavailable
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.lease import HeldLease
from shared.services.archiving.results import Result

_log = logging.getLogger(__name__)

DEFAULT_PAUSE_SECONDS = 5.0
_UNSENT = (WriteVerdict.THROTTLED, WriteVerdict.NOT_SENT, WriteVerdict.UNAUTHORIZED)


@dataclass(slots=True)
class BatchOutcome:
    """The results of one batch."""

    #: Results that are final for this attempt.
    results: list[Result] = field(default_factory=list)
    #: Writes whose result needs a look at the mailbox.
    questions: list[tuple[ClaimedOperation, WriteAnswer]] = field(default_factory=list)
    unknown: int = 0
    paused: bool = False


class BatchSender:
    """Sends claimed operations to the archive calendar of one run's configuration."""

    def __init__(self, ports: ArchivingPorts, context: RunContext) -> None:
        self._ports = ports
        self._calendars = ports.calendars.in_tenant(context.tenant_id)
        self._context = context

    async def send(self, lease: HeldLease, operations: Sequence[ClaimedOperation]) -> BatchOutcome:
        """Send one ``$batch``, or several smaller ones if the store refuses the whole batch.

        With ``look_before_create``, a create whose copy exists already adopts it instead.
        """
        looked_up = await self._there_already(lease, operations)
        known = {result.operation.id for result in looked_up}
        rest = [operation for operation in operations if operation.id not in known]
        outcome = await self._send(lease, rest) if rest else BatchOutcome()
        outcome.results = looked_up + outcome.results
        return outcome

    async def _there_already(self, lease: HeldLease, operations: Sequence[ClaimedOperation]) -> list[Result]:
        """Creates whose copy exists although no row knows it, because the database was restored.

        If the store does not answer, the create stays planned, because nothing was sent.
        """
        if not self._ports.settings.look_before_create:
            return []
        results: list[Result] = []
        creates = [each for each in operations if each.action is OperationAction.CREATE]
        for number, operation in enumerate(creates):
            await lease.cover_one_batch()
            try:
                copies = await self.find_copies(operation)
            except StoreUnavailable:
                return results + [Result(each, OperationState.PLANNED) for each in creates[number:]]
            if copies:
                results.append(adopted(operation, copies))
        return results

    async def _send(self, lease: HeldLease, operations: Sequence[ClaimedOperation]) -> BatchOutcome:
        await lease.cover_one_batch()
        answers = await self._calendars.send(
            self._context.archive_mailbox,
            self._context.archive_calendar_id,
            [_write(operation) for operation in operations],
            timeout=self._ports.settings.batch_timeout_seconds,
        )
        if answers and answers[0].verdict is WriteVerdict.BATCH_REFUSED:
            return await self._bisect(lease, operations, answers[0])
        outcome = BatchOutcome()
        for operation, answer in zip(operations, answers, strict=True):
            _sort(outcome, operation, answer)
        await self._pause(lease, answers)
        return outcome

    async def _bisect(
        self, lease: HeldLease, operations: Sequence[ClaimedOperation], answer: WriteAnswer
    ) -> BatchOutcome:
        if len(operations) == 1:
            return BatchOutcome(results=[_failed(operations[0], answer)])
        middle = len(operations) // 2
        first = await self._send(lease, operations[:middle])
        if first.paused:
            # The mailbox asked for a pause. The other half was not sent and is planned again.
            first.results += [Result(operation, OperationState.PLANNED) for operation in operations[middle:]]
            return first
        second = await self._send(lease, operations[middle:])
        return BatchOutcome(
            first.results + second.results,
            first.questions + second.questions,
            first.unknown + second.unknown,
            second.paused,
        )

    async def _pause(self, lease: HeldLease, answers: Sequence[WriteAnswer]) -> None:
        """Make every process respect the mailbox's pause. Without a number, use a jittered default."""
        waits = [
            answer.retry_after
            if answer.retry_after is not None
            else DEFAULT_PAUSE_SECONDS * random.uniform(0.5, 1.5)
            for answer in answers
            if answer.verdict in _UNSENT
        ]
        throttled = sum(answer.verdict is WriteVerdict.THROTTLED for answer in answers)
        if throttled:
            # The alert `throttling` counts these lines. The client logs single requests.
            _log.info("graph answered 429 to %d writes of a batch", throttled)
        if waits:
            await lease.close_mailbox_until(self._ports.clock.now() + timedelta(seconds=max(waits)))

    async def answer_questions(self, lease: HeldLease, outcome: BatchOutcome) -> None:
        """Look the mailbox up for every open question. Call it only while no batch is in flight.

        If the store does not answer, the remaining questions stay open, and known results are still recorded.
        Raises LeaseLost.
        """
        for number, (operation, answer) in enumerate(outcome.questions):
            await lease.cover_one_batch()
            try:
                outcome.results.append(await self._ask(operation, answer))
            except StoreUnavailable:
                outcome.unknown += len(outcome.questions) - number
                break
        outcome.questions.clear()

    async def _ask(self, operation: ClaimedOperation, answer: WriteAnswer) -> Result:
        if answer.verdict is WriteVerdict.DUPLICATE:
            return await self._created_before(operation, answer)
        if answer.verdict is WriteVerdict.GONE:
            return await self.look_up(operation)
        return await self._stale(operation)

    async def _created_before(self, operation: ClaimedOperation, answer: WriteAnswer) -> Result:
        """The store knows the transactionId, so the copy exists. Adopt it only if it carries our key."""
        if answer.existing_event_id:
            copy = await self._calendars.get_copy(self._context.archive_mailbox, answer.existing_event_id)
            if copy is not None and copy.archive_key == operation.archive_key:
                return adopted(operation, [copy])
        return await self.look_up(operation)

    async def look_up(self, operation: ClaimedOperation) -> Result:
        """Search for the copy by its archive key. Adopt it, or report that it is not there.

        A create without a copy stays open. An update without a copy means that the owner deleted it. So ask
        this of an update only if the store said that its copy is gone, or if the write is long past.
        """
        copies = await self.find_copies(operation)
        if copies and operation.action is OperationAction.CREATE:
            return adopted(operation, copies)
        if copies:
            return self._compared(operation, copies)
        if operation.action is OperationAction.CREATE:
            return Result(operation, OperationState.SENT)
        if self._context.mode is RunMode.REPLACE and operation.action is OperationAction.UPDATE:
            return Result(operation, OperationState.PLANNED, recreate=True)
        return Result(
            operation,
            OperationState.CONFLICT,
            code="removed_by_owner",
            detail="the copy was deleted from the archive calendar",
            removed=True,
        )

    async def find_copies(self, operation: ClaimedOperation) -> list[Copy]:
        """The copies with the operation's archive key: the copy in our map first, then the oldest."""
        copies: list[Copy] = []
        if operation.copy_id is not None:
            known = await self._calendars.get_copy(self._context.archive_mailbox, operation.copy_id)
            if known is not None and known.archive_key == operation.archive_key:
                copies.append(known)
        if copies:
            return copies
        found = await self._calendars.find_copies(
            self._context.archive_mailbox, self._context.archive_calendar_id, operation.archive_key
        )
        return sorted(found, key=lambda copy: (copy.created, copy.id))

    async def _stale(self, operation: ClaimedOperation) -> Result:
        """Find out who changed the copy since we saw it: we, nobody that matters, or its owner.

        The refusal proves that the copy was there, and changed. A read may be older than that. So a copy that
        is not found leaves the write open: only an answer that it is gone says so.
        """
        copies = await self.find_copies(operation)
        if not copies:
            return Result(operation, OperationState.SENT)
        copy = copies[0]
        if copy.etag == operation.if_match:
            # The store refused to change this version, so it has a newer one. The read is stale: send again.
            return Result(operation, OperationState.PLANNED, etag=copy.etag)
        if self.has_effect(operation, copy):
            return adopted(operation, copies)
        async with self._ports.database.session() as session:
            recorded = await AppointmentRepository(session).record_of(
                self._context.owner_id, operation.archived_event_id
            )
        if (
            recorded is not None
            and copy.revision == operation.previous_revision
            and same_content(copy, recorded)
        ):
            return Result(operation, OperationState.PLANNED, etag=copy.etag)
        if self._context.mode is RunMode.REPLACE:
            return Result(operation, OperationState.PLANNED, etag=copy.etag, replaced=copy.content)
        return Result(
            operation,
            OperationState.CONFLICT,
            code="edited_by_owner",
            detail="the copy was edited in the archive calendar; it was not overwritten",
        )

    def has_effect(self, operation: ClaimedOperation, copy: Copy) -> bool:
        """Whether the copy holds what the update meant. A replaced copy may have had its revision before."""
        if copy.revision != operation.revision:
            return False
        return self._context.mode is not RunMode.REPLACE or same_content(
            copy, written_content(operation.payload.encode())
        )

    def _compared(self, operation: ClaimedOperation, copies: Sequence[Copy]) -> Result:
        if self.has_effect(operation, copies[0]):
            return adopted(operation, copies)
        return Result(operation, OperationState.PLANNED, copy_id=copies[0].id, etag=copies[0].etag)


def adopted(operation: ClaimedOperation, copies: Sequence[Copy]) -> Result:
    """The write took effect. The map takes the values of the first copy.

    Further copies with the same key are reported and never deleted (design.md, Reconcile).
    """
    copy, *rest = copies
    return Result(
        operation,
        OperationState.DONE,
        copy_id=copy.id,
        etag=copy.etag,
        revision=copy.revision or None,
        code="extra_copies" if rest else None,
        detail=f"further copies with the same key: {', '.join(c.id for c in rest)}" if rest else None,
    )


def _failed(operation: ClaimedOperation, answer: WriteAnswer) -> Result:
    gone = answer.verdict is WriteVerdict.GONE
    return Result(operation, OperationState.FAILED, code=answer.code, detail=answer.detail, gone=gone)


def _write(operation: ClaimedOperation) -> Write:
    return Write(
        operation_id=operation.id,
        kind="create" if operation.action is OperationAction.CREATE else "update",
        payload=operation.payload.encode(),
        copy_id=operation.copy_id,
        if_match=operation.if_match,
    )


def _sort(outcome: BatchOutcome, operation: ClaimedOperation, answer: WriteAnswer) -> None:
    match answer.verdict:
        case WriteVerdict.DONE:
            outcome.results.append(
                Result(operation, OperationState.DONE, copy_id=answer.copy_id, etag=answer.etag)
            )
        case WriteVerdict.UNKNOWN:
            outcome.unknown += 1
        case verdict if verdict in _UNSENT:
            outcome.paused = True
            outcome.results.append(Result(operation, OperationState.PLANNED))
        case WriteVerdict.DUPLICATE | WriteVerdict.STALE:
            outcome.questions.append((operation, answer))
        case WriteVerdict.GONE if operation.action is not OperationAction.CREATE:
            outcome.questions.append((operation, answer))
        case _:
            outcome.results.append(_failed(operation, answer))
