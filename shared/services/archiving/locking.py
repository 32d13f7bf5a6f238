"""Keeps runs from writing into periods that finalised timesheets locked (domain.md 2.8)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.period_locks import PeriodLockRepository, WriteTimes
from shared.domain.categories.category import classify
from shared.domain.runs.locked_periods import LockedPeriod, local_days, locking_period
from shared.services.archiving.context import RunContext

_ALL = 1_000_000


def is_locked(write: WriteTimes, periods: Sequence[LockedPeriod], zone: ZoneInfo) -> bool:
    """Whether a write touches a locked period, by its new content or by what is recorded now.

    A change must neither remove hours from a finalised timesheet nor add hours to it.
    """
    customers = set(_customers(write["categories"])) | set(_customers(write["old_categories"]))
    return any(
        locking_period(periods, customers, first, after) is not None for first, after in _days(write, zone)
    )


async def lock_out_all(session: AsyncSession, context: RunContext, now: datetime) -> None:
    """Mark the writes of a plan that are in locked periods. Apply does the same for each batch."""
    locks = PeriodLockRepository(session)
    periods = await locks.in_force(context.owner_id)
    if periods:
        planned = await locks.next_writes(context.owner_id, context.run_id, _ALL)
        locked = [write["id"] for write in planned if is_locked(write, periods, context.window.zone)]
        await locks.lock_out(context.owner_id, locked, now)


def _days(write: WriteTimes, zone: ZoneInfo) -> Iterator[tuple[date, date]]:
    for start, end, all_day in (
        (write["start_at"], write["end_at"], write["is_all_day"]),
        (write["old_start"], write["old_end"], write["old_all_day"]),
    ):
        if start is not None and end is not None:
            # The instants of an all-day event are its dates as given (domain.md 2.2).
            yield local_days(_instant(start), _instant(end), ZoneInfo("UTC") if all_day else zone)


def _customers(categories: Sequence[str] | None) -> Iterator[str]:
    for category in classify(tuple(categories or ())).valid:
        yield category.key


def _instant(value: datetime | str) -> datetime:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.astimezone(UTC)
