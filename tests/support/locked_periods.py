"""Locking a period as finalising a timesheet will do (domain.md 2.8; design.md, Database)."""

from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.models.locked_periods import LockedPeriodRow
from shared.database.repositories.archiving.locked_periods import LockedPeriodRepository
from shared.domain.identity.caller import Caller
from shared.domain.runs.locked_periods import LockedPeriod
from shared.errors import Conflict
from shared.services.archiving.locked_periods import is_locked
from shared.services.audit.recording import AuditWriter

#: A batch is answered, or its lease is over, within about this time.
_ANSWERED_WITHIN_SECONDS = 45


class PeriodLocker:
    """Locks and reopens periods in the caller's transaction."""

    def __init__(self, clock: Clock, audit: AuditWriter) -> None:
        self._clock = clock
        self._audit = audit

    async def lock(
        self, session: AsyncSession, caller: Caller, owner_id: UUID, period: LockedPeriod
    ) -> LockedPeriodRow:
        """Lock the owner's period. From now to the end of the transaction, none of their writes is sent.

        Raises Conflict, with Retry-After, while writes into the period are in flight. Raises AlreadyExists if
        a part of it is locked for the same customer.
        """
        locks = LockedPeriodRepository(session)
        for write in await locks.lock_turn(owner_id):
            if is_locked(write, [period], ZoneInfo(write["time_zone"])):
                raise Conflict(
                    "a run is writing into this period; ask again",
                    code="period_in_use",
                    retry_after=_ANSWERED_WITHIN_SECONDS,
                )
        lock = await locks.add(caller.tenant_id, owner_id, period, caller.actor, self._clock.now())
        await self._audit.record(
            session,
            "period.locked",
            "period_lock",
            lock.id,
            {"after": {"first": period.first.isoformat(), "after": period.after.isoformat()}},
            on_behalf_of=owner_id,
        )
        return lock

    async def reopen(self, session: AsyncSession, caller: Caller, owner_id: UUID, lock_id: UUID) -> bool:
        """Let runs write into the period again; False if it was not locked."""
        now = self._clock.now()
        reopened = await LockedPeriodRepository(session).reopen(owner_id, lock_id, caller.actor, now)
        if reopened:
            await self._audit.record(
                session, "period.reopened", "period_lock", lock_id, {}, on_behalf_of=owner_id
            )
        return reopened
