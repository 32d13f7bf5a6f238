"""What became of an operation, and writing it down in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments import AppointmentRepository
from shared.database.repositories.archive_operations import ClaimedOperation
from shared.database.repositories.archive_runs import ArchiveRunRepository
from shared.domain.archive_run import OperationAction, OperationState
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.lease import HeldLease, LeaseLost


@dataclass(frozen=True, slots=True)
class Result:
    """The new state of one operation. ``removed`` marks a copy the owner deleted (design.md, Updating).

    ``revision`` is set where the copy was found to hold another revision than the operation meant.
    """

    operation: ClaimedOperation
    state: OperationState
    copy_id: str | None = None
    etag: str | None = None
    revision: str | None = None
    code: str | None = None
    detail: str | None = None
    removed: bool = False

    def operation_row(self) -> dict[str, Any]:
        """For the operation's row."""
        return {
            "id": str(self.operation.id),
            "state": str(self.state),
            "code": self.code,
            "detail": (self.detail or "")[:1000] or None,
        }

    def map_row(self) -> dict[str, Any] | None:
        """For the map's row; None when nothing about the copy became known."""
        if self.state not in (OperationState.DONE, OperationState.FAILED) and not self.removed:
            return None
        return {
            "id": str(self.operation.id),
            "state": "removed" if self.removed else str(self.state),
            "copy_id": self.copy_id,
            "etag": self.etag,
            "revision": self.revision,
        }


class ResultRecorder:
    """Writes results down: operations, map, record and audit commit together or not at all."""

    def __init__(self, ports: ArchivingPorts, context: RunContext) -> None:
        self._ports = ports
        self._context = context

    async def record(self, lease: HeldLease, results: Sequence[Result]) -> None:
        """Record ``results`` under the lease. Raises LeaseLost, and then nothing was recorded."""
        results = [result for result in results if result.state is not OperationState.SENT]
        if not results:
            return
        now = self._ports.clock.now()
        async with self._ports.database.session() as session:
            await lease.hold(session)
            done = [r.operation.id for r in results if r.state is OperationState.DONE]
            versions = await self._versions(session, results)
            appointments = AppointmentRepository(session)
            await appointments.upsert_from_operations(done)
            map_rows = [row for r in results if (row := r.map_row()) is not None]
            await self._context.archived_events(session).apply_results(map_rows, now)
            operations = self._context.operations(session)
            again = [r.operation for r in results if r.state is OperationState.PLANNED]
            if again:
                await ArchiveRunRepository(session).hold_unscoped([operation.run_id for operation in again])
            recorded = await operations.record([r.operation_row() for r in results], now)
            if recorded != len(results):
                raise LeaseLost
            for result in results:
                if result.state is OperationState.PLANNED and result.etag is not None:
                    await operations.rematch(result.operation.id, result.etag)
            await operations.cancel_orphans([operation.id for operation in again], now)
            await self._audit(session, results, versions, now)

    async def _versions(
        self, session: AsyncSession, results: Sequence[Result]
    ) -> dict[UUID, tuple[dict[str, Any], dict[str, Any]]]:
        """Both versions of each updated appointment, by operation (domain.md 2.4)."""
        updated = [
            r.operation.id
            for r in results
            if r.state is OperationState.DONE and r.operation.action is OperationAction.UPDATE
        ]
        return await AppointmentRepository(session).versions_of_operations(self._context.owner_id, updated)

    async def _audit(
        self,
        session: AsyncSession,
        results: Sequence[Result],
        versions: dict[UUID, tuple[dict[str, Any], dict[str, Any]]],
        now: datetime,
    ) -> None:
        audit = self._ports.audit
        by_state: dict[str, list[str]] = {}
        for result in results:
            by_state.setdefault(str(result.state), []).append(str(result.operation.id))
        await audit.record(
            session,
            action="archive_run.batch",
            resource_type="archive_run",
            resource_id=str(self._context.run_id),
            outcome="failure" if str(OperationState.FAILED) in by_state else "success",
            changes={"operations": by_state},
            on_behalf_of=self._context.owner_id,
        )
        for operation_id, (before, after) in versions.items():
            await audit.record(
                session,
                action="appointment.updated",
                resource_type="archive_operation",
                resource_id=str(operation_id),
                outcome="success",
                changes={"before": before, "after": after},
                on_behalf_of=self._context.owner_id,
            )
