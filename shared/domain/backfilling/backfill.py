"""The months of a backfill: the time before the first nightly run (domain.md 2.14)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.domain.runs.window import Window, local_day_start


class BackfillState(StrEnum):
    """The state of a backfill. Whether it is paused is stored with its job (domain.md 8.3)."""

    ACTIVE = "active"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """Progress of a backfill. In ``percent``, the running month counts by the progress of its run."""

    months_done: int
    months_total: int
    percent: int


def first_of_previous_month(today: date) -> date:
    """The default start of archiving: nightly runs begin here and a backfill ends here (2.14)."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def nightly_from(archive_from: date, today: date) -> date:
    """The first local day of nightly runs. A backfill archives earlier days."""
    return max(archive_from, first_of_previous_month(today))


def months(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Window]:
    """``[start, end)`` cut exactly at the local starts of calendar months, oldest first."""
    while start < end:
        following = _next_month_start(start, zone)
        yield Window(start, min(following, end), zone)
        start = following


def next_month(start: datetime, end: datetime, zone: ZoneInfo) -> Window | None:
    """The window that starts at ``start``. None if nothing is left of ``[start, end)``."""
    return next(months(start, end, zone), None)


def progress(
    start: datetime, done_until: datetime, end: datetime, zone: ZoneInfo, running_percent: int
) -> BackfillProgress:
    """The progress of a backfill of ``[start, end)`` that is done up to ``done_until``.

    ``running_percent`` is the progress of the current month's run, 0 to 100.
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
        # A clock change at the start of a month may put it before an instant of its own local day.
        if start > instant:
            return start
