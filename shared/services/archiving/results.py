"""The result of an operation, and how one transaction records it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archive_operations import ClaimedOperation
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.write_results import ResultRow
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.copies.archive_copy import recreated_copy
from shared.domain.events.event_content import EventContent
from shared.domain.events.revision import is_edited
from shared.domain.json_object import JsonObject
from shared.domain.runs.archive_run import OperationAction, OperationState
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.lease import HeldLease, LeaseLost
from shared.services.audit.recording import AuditFact, Outcome

_KNOWN_TO_THE_MAP = (OperationState.DONE, OperationState.FAILED, OperationState.CONFLICT)


class Result(NamedTuple):
    """The new state of one operation."""

    operation: ClaimedOperation
    state: OperationState
    copy_id: str | None = None
    etag: str | None = None
    #: Set if the copy holds another revision than the operation meant.
    revision: str | None = None
    code: str | None = None
    detail: str | None = None
    #: The owner deleted the copy (design.md, Updating).
    removed: bool = False
    #: The copy is gone and is made again (replace runs, domain.md 2.10).
    recreate: bool = False
    #: The owner's version of the copy, which is overwritten (replace runs, domain.md 2.10).
    replaced: EventContent | None = None
    #: The calendar to create the copy in does not exist.
    gone: bool = False

    def row(self) -> ResultRow:
        """The values for the tables that the result changes. ``known`` only if the copy became known."""
        known = "removed" if self.removed else str(self.state)
        told = (self.removed or self.state in _KNOWN_TO_THE_MAP) and not _failed_edit(self)
        return {
            "id": str(self.operation.id),
            "state": str(self.state),
            "code": self.code,
            "detail": (self.detail or "")[:1000] or None,
            "known": known if told else None,
            "copy_id": self.copy_id,
            "etag": self.etag,
            "revision": self.revision,
        }


def _failed_edit(result: Result) -> bool:
    """An owner's edit that failed leaves the copy as it was. No run writes the source over it."""
    return result.state is OperationState.FAILED and is_edited(result.operation.revision)


def recordable(results: Sequence[Result]) -> list[Result]:
    """The results that say something. Operations that are still sent stay as they are."""
    return [result for result in results if result.state is not OperationState.SENT]


class ResultRecorder:
    """Records results: operations, map, record and audit commit together or not at all."""

    def __init__(self, ports: ArchivingPorts, context: RunContext) -> None:
        self._ports = ports
        self._context = context

    async def record(self, lease: HeldLease, results: Sequence[Result], *, resend: bool = False) -> None:
        """Record ``results`` under the lease. Raises LeaseLost; then nothing was recorded.

        Without ``resend``, a write that needs another form is planned again. With it, the write stays open,
        because reconciling continues until nothing is open, and no apply may run before.
        """
        if results := recordable(results):
            async with self._ports.database.session() as session:
                await lease.hold(session)
                await self.record_within(session, results, resend=resend)

    async def record_within(
        self, session: AsyncSession, results: Sequence[Result], *, resend: bool = False
    ) -> None:
        """As ``record``, for ``recordable`` results, in a transaction that already holds the lease."""
        now = self._ports.clock.now()
        versions = await self._versions(session, results)
        again = [r.operation for r in results if r.state is OperationState.PLANNED]
        if again:
            await ArchiveRunRepository(session).hold_unscoped([operation.run_id for operation in again])
        ended = [r for r in results if r.state is not OperationState.PLANNED]
        recorded = await self._context.write_results(session).record(
            self._context.run_id,
            [result.row() for result in results],
            now,
            written=sum(r.operation.run_id == self._context.run_id for r in ended),
        )
        if recorded != len(results):
            raise LeaseLost
        await self._plan_again(session, results, again, now)
        if resend:
            await self._context.operations(session).keep_open([operation.id for operation in again], now)
        await self._audit(session, results, versions)

    async def _plan_again(
        self,
        session: AsyncSession,
        results: Sequence[Result],
        again: Sequence[ClaimedOperation],
        now: datetime,
    ) -> None:
        """Plan the write again: it may need another etag, or create its copy again."""
        operations = self._context.operations(session)
        for result in results:
            if result.state is OperationState.PLANNED and result.etag is not None:
                await operations.rematch(result.operation.id, result.etag)
        recreated = [result.operation for result in results if result.recreate]
        if recreated:
            await self._recreate(session, recreated, now)
        await operations.cancel_orphans([operation.id for operation in again], now)

    async def _recreate(
        self, session: AsyncSession, operations: Sequence[ClaimedOperation], now: datetime
    ) -> None:
        """Turn updates of copies that are gone into creates of the next generation (domain.md 2.10).

        The generation rises together with the operation, so no create of another generation is in flight.
        """
        archived_events = self._context.archived_events(session)
        rows = await archived_events.by_keys([operation.source_key for operation in operations])
        for operation in operations:
            row = rows[operation.source_key]
            body = recreated_copy(
                orjson.loads(operation.payload),
                configuration_id=self._context.configuration_id,
                archive_key=row.archive_key,
                source_key=row.source_key,
                source_id=row.source_id,
                ical_uid=row.ical_uid,
                original_start=row.original_start,
                generation=row.generation + 1,
            )
            await archived_events.renew_copy(row.id, row.generation, now)
            await self._context.operations(session).recreate(operation.id, orjson.dumps(body).decode())

    async def _versions(
        self, session: AsyncSession, results: Sequence[Result]
    ) -> dict[UUID, tuple[AppointmentRecord, AppointmentRecord]]:
        """Both versions of each updated appointment, by operation (domain.md 2.4)."""
        updated = [
            r.operation.id
            for r in results
            if r.state is OperationState.DONE and r.operation.action is not OperationAction.CREATE
        ]
        return await AppointmentRepository(session).versions_of_operations(self._context.owner_id, updated)

    async def _audit(
        self,
        session: AsyncSession,
        results: Sequence[Result],
        versions: dict[UUID, tuple[AppointmentRecord, AppointmentRecord]],
    ) -> None:
        owner = self._context.owner_id
        by_state: dict[str, list[str]] = {}
        for result in results:
            by_state.setdefault(str(result.state), []).append(str(result.operation.id))
        outcome: Outcome = "failure" if str(OperationState.FAILED) in by_state else "success"
        batch = AuditFact(
            "archive_run.batch",
            "archive_run",
            str(self._context.run_id),
            outcome,
            {"operations": by_state},
            owner,
        )
        replaced = [
            _fact(
                "appointment.owner_edit_replaced", result.operation.id, {"before": content.to_json()}, owner
            )
            for result in results
            if (content := result.replaced) is not None
        ]
        superseded = {
            result.operation.id for result in results if result.operation.action is OperationAction.SUPERSEDE
        }
        updated = [
            _fact(
                "appointment.superseded" if operation_id in superseded else "appointment.updated",
                operation_id,
                {"before": before.columns(), "after": after.columns()},
                owner,
            )
            for operation_id, (before, after) in versions.items()
        ]
        await self._ports.audit.record_all(session, [batch, *replaced, *updated])


def _fact(action: str, operation_id: UUID, changes: JsonObject, owner_id: UUID) -> AuditFact:
    return AuditFact(action, "archive_operation", str(operation_id), "success", changes, owner_id)
