"""The audit: one row for every state change, in the transaction that makes it (domain.md 7.1)."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.clock import Clock
from shared.database.models import AuditEntry
from shared.database.repositories.audit import AuditRepository

type Outcome = Literal["success", "failure"]


class AuditWriter:
    """Writes who did what; actor, correlation and source address come from the context variables."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def record(
        self,
        session: AsyncSession,
        *,
        action: str,
        resource_type: str,
        resource_id: str,
        outcome: Outcome,
        changes: Mapping[str, Any],
        on_behalf_of: UUID | None = None,
    ) -> None:
        """Add one row to the transaction of ``session``: it is there if, and only if, the change is.

        ``on_behalf_of`` is the user (our id) whose data is changed. Raises RuntimeError where no caller is
        bound: nothing may change without an actor.
        """
        caller = telemetry.current_caller.get()
        if caller is None:
            raise RuntimeError(f"{action}: no caller is bound")
        await AuditRepository(session).add(
            AuditEntry(
                id=uuid4(),
                tenant_id=caller.tenant_id,
                occurred_at=self._clock.now(),
                actor=caller.actor,
                on_behalf_of=on_behalf_of,
                action=action,
                resource_type=resource_type,
                resource_id=resource_id,
                outcome=outcome,
                correlation_id=telemetry.correlation_id.get() or telemetry.new_correlation_id(),
                parent_correlation_id=telemetry.parent_correlation_id.get(),
                source_ip=telemetry.source_ip.get(),
                changes=dict(changes),
            )
        )
