"""Periods that finalised timesheets locked (domain.md 2.8; design.md, Database)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NotRequired, TypedDict
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import Range

from shared.database.models.period_locks import PeriodLock
from shared.database.repositories.base import Keyset, Repository, page
from shared.domain.runs.locked_periods import EVERY_CUSTOMER, LockedPeriod

# One number for each kind of turn. 1 to 3 belong to runs and configurations.
_EXCLUSIVE = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:owner AS text), 4))")
_SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(CAST(:owner AS text), 4))")
_SENT = text("""
    SELECT o.id, c.time_zone, o.record->>'start_at' AS start_at, o.record->>'end_at' AS end_at,
           COALESCE((o.record->>'is_all_day')::boolean, a.is_all_day, false) AS is_all_day,
           o.record->'categories' AS categories, a.start_at AS old_start, a.end_at AS old_end,
           a.categories AS old_categories, a.is_all_day AS old_all_day
      FROM archive_operations o JOIN archive_configurations c ON c.id = o.configuration_id
      LEFT JOIN appointments a ON a.archived_event_id = o.archived_event_id
     WHERE o.owner_id = :owner AND o.state = 'sent'
""")

# Copies that are created again as recorded do not change the hours of a finalised timesheet.
_NEXT_WRITES = text("""
    SELECT o.id, o.record->>'start_at' AS start_at, o.record->>'end_at' AS end_at,
           COALESCE((o.record->>'is_all_day')::boolean, a.is_all_day, false) AS is_all_day,
           o.record->'categories' AS categories, a.start_at AS old_start, a.end_at AS old_end,
           a.categories AS old_categories, a.is_all_day AS old_all_day
      FROM (SELECT id, archived_event_id, record, position FROM archive_operations
             WHERE run_id = :run AND owner_id = :owner AND state = 'planned'
               AND NOT EXISTS (SELECT 1 FROM archive_runs r
                                WHERE r.id = :run AND r.mode IN ('put_back', 'rebuild'))
             ORDER BY position, id LIMIT :count) AS o
      LEFT JOIN appointments a ON a.archived_event_id = o.archived_event_id
     ORDER BY o.position, o.id
""")
_LOCK_OUT = text("""
    UPDATE archive_operations
       SET state = 'locked', finished_at = :now, payload = NULL, error_code = 'period_locked',
           error_detail = 'a finalised timesheet locked this period'
     WHERE owner_id = :owner AND state = 'planned' AND id = ANY(CAST(:ids AS uuid[]))
""")
_NEWLY_LOCKED = text("""
    SELECT count(*) FROM archive_operations o
     WHERE o.run_id = :run AND o.owner_id = :owner AND o.state = 'locked'
       AND NOT EXISTS (SELECT 1 FROM archive_runs r JOIN archive_operations e ON e.run_id = r.id
                        WHERE r.owner_id = :owner AND r.configuration_id = o.configuration_id
                          AND r.id <> o.run_id AND e.source_key = o.source_key AND e.state = 'locked'
                          AND e.revision = o.revision)
""")


class WriteTimes(TypedDict):
    """Times and categories of a write, and as ``old_…`` the recorded ones. Times may be ISO 8601."""

    start_at: datetime | str | None
    end_at: datetime | str | None
    is_all_day: bool
    categories: Sequence[str] | None
    old_start: datetime | str | None
    old_end: datetime | str | None
    old_all_day: bool
    old_categories: Sequence[str] | None


class NextWrite(WriteTimes):
    """A write of an owner, with its configuration's zone if requested."""

    id: NotRequired[UUID]
    time_zone: NotRequired[str]


class PeriodLockRepository(Repository):
    """The ``period_locks`` table, always of one owner."""

    async def write_turn(self, owner_id: UUID) -> list[LockedPeriod]:
        """The owner's locks. None is added until the transaction ends. Writers share this turn."""
        await self._session.execute(_SHARED, {"owner": str(owner_id)})
        return await self.in_force(owner_id)

    async def in_force(self, owner_id: UUID) -> list[LockedPeriod]:
        """The owner's locks, for a caller that already has the turn."""
        rows = await self._session.execute(
            select(PeriodLock.customer_key, PeriodLock.period).where(
                PeriodLock.owner_id == owner_id, PeriodLock.reopened_at.is_(None)
            )
        )
        return [_period(row.customer_key, row.period) for row in rows]

    async def next_writes(self, owner_id: UUID, run_id: UUID, count: int) -> list[NextWrite]:
        """What the run sends next.

        Empty for a run that puts copies back or rebuilds an archive, because it restores what a locked period
        holds.
        """
        parameters = {"owner": owner_id, "run": run_id, "count": count}
        found = (await self._session.execute(_NEXT_WRITES, parameters)).mappings()
        return [NextWrite(**row) for row in found]  # type: ignore[typeddict-item]

    async def lock_out(self, owner_id: UUID, operation_ids: Sequence[UUID], now: datetime) -> None:
        """Mark these planned writes as locked: a locked period forbids them."""
        await self._session.execute(_LOCK_OUT, {"owner": owner_id, "ids": list(operation_ids), "now": now})

    async def newly_locked(self, owner_id: UUID, run_id: UUID) -> int:
        """How many writes a lock kept this run from that no earlier run reported."""
        result = await self._session.execute(_NEWLY_LOCKED, {"owner": owner_id, "run": run_id})
        return int(result.scalar_one())

    async def lock_turn(self, owner_id: UUID) -> list[NextWrite]:
        """Block sending until the transaction ends. Returns the owner's sent writes."""
        await self._session.execute(_EXCLUSIVE, {"owner": str(owner_id)})
        found = (await self._session.execute(_SENT, {"owner": owner_id})).mappings()
        return [NextWrite(**row) for row in found]  # type: ignore[typeddict-item]

    async def add(
        self, tenant_id: UUID, owner_id: UUID, period: LockedPeriod, by: str, now: datetime
    ) -> PeriodLock:
        """Lock the period. Raises AlreadyExists if a part of it is locked. Call ``lock_turn`` first."""
        lock = PeriodLock(
            tenant_id=tenant_id,
            owner_id=owner_id,
            customer_key=period.customer_key,
            period=Range(period.first, period.after, bounds="[)"),
            locked_at=now,
            locked_by=by,
        )
        await self._insert(lock)
        return lock

    async def reopen(self, owner_id: UUID, lock_id: UUID, by: str, now: datetime) -> bool:
        """Let runs write into the period again. False if it was not locked."""
        result = await self._session.execute(
            update(PeriodLock)
            .where(
                PeriodLock.owner_id == owner_id, PeriodLock.id == lock_id, PeriodLock.reopened_at.is_(None)
            )
            .values(reopened_at=now, reopened_by=by)
            .returning(PeriodLock.id)
        )
        return result.one_or_none() is not None

    async def list(self, owner_id: UUID, after: Keyset | None, limit: int) -> Sequence[PeriodLock]:
        """The owner's locks, also reopened ones, in the order they were made."""
        statement = select(PeriodLock).where(PeriodLock.owner_id == owner_id)
        return await self._all(page(statement, (PeriodLock.locked_at, PeriodLock.id), after, limit))


def _period(customer_key: str, period: Any) -> LockedPeriod:
    return LockedPeriod(customer_key or EVERY_CUSTOMER, period.lower, period.upper or date.max)
