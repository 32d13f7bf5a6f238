"""The months of a backfill: what is archived before the nightly runs' first day (domain.md 2.14)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.domain.runs.window import Window, local_day_start


class BackfillState(StrEnum):
    """``paused`` is said by its job (domain.md 8.3), not by the backfill itself."""

    ACTIVE = "active"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """One figure for all its months: ``percent`` counts the month under way by its run's own progress."""

    months_done: int
    months_total: int
    percent: int


def first_of_previous_month(today: date) -> date:
    """Where archiving begins by default, and where nightly runs take over from a backfill (2.14)."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def nightly_from(archive_from: date, today: date) -> date:
    """The first local day that nightly runs cover; what lies before is left to a backfill."""
    return max(archive_from, first_of_previous_month(today))


def months(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Window]:
    """``[start, end)`` cut at the local starts of calendar months, oldest first; together exactly it."""
    while start < end:
        following = _next_month_start(start, zone)
        yield Window(start, min(following, end), zone)
        start = following


def next_month(start: datetime, end: datetime, zone: ZoneInfo) -> Window | None:
    """The window that starts at the instant ``start``; None where nothing is left of ``[start, end)``."""
    return next(months(start, end, zone), None)


def progress(
    start: datetime, done_until: datetime, end: datetime, zone: ZoneInfo, running_percent: int
) -> BackfillProgress:
    """How far a backfill of ``[start, end)`` is that stands at ``done_until``.

    ``running_percent`` is how far the run of the month under way is, 0 to 100.
    """
    total = sum(1 for _ in months(start, end, zone))
    left = sum(1 for _ in months(max(start, done_until), end, zone))
    done = max(total - left, 0)
    if not left:
        return BackfillProgress(total, total, 100)
    return BackfillProgress(done, total, min(99, (100 * done + min(running_percent, 100)) // total))


def _next_month_start(instant: datetime, zone: ZoneInfo) -> datetime:
    first = instant.astimezone(zone).date().replace(day=1)
    while True:
        first = (first + timedelta(days=32)).replace(day=1)
        start = local_day_start(first, zone)
        # A clock change at the very start of a month may place it before an instant of its own local day.
        if start > instant:
            return start
