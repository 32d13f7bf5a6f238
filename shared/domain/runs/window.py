"""Archive windows: half-open UTC intervals, cut at the starts of local days (domain.md 2.2)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.domain.events.source_event import SourceEvent
from shared.domain.times.zones import first_instant
from shared.errors import FieldError, ValidationFailed

READ_MARGIN = timedelta(days=1)
"""How far planning reads outside each edge (domain.md 2.2)."""

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""The limits of a requested window. Outside them no calendar has events, and dates may overflow."""


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open interval ``[start, end)`` of UTC instants, and the zone of its local dates.

    Raises ValueError for naive instants or an empty interval.
    """

    start: datetime
    end: datetime
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.start.utcoffset() is None or self.end.utcoffset() is None:
            raise ValueError("a window needs instants with an offset")
        if self.start >= self.end:
            raise ValueError("a window ends after its start")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    def owns(self, event: SourceEvent) -> bool:
        """Whether the event belongs here: by its start, all-day by its local date (domain.md 2.2)."""
        return self.start <= self.owning_start(event) < self.end

    def owning_start(self, event: SourceEvent) -> datetime:
        """The instant that decides which window the event belongs to (domain.md 2.2)."""
        return local_day_start(event.start.date(), self.zone) if event.is_all_day else event.start

    @property
    def read_range(self) -> tuple[datetime, datetime]:
        """The range to read, so that everything that touches an owned event is seen (domain.md 2.2)."""
        return self.start - READ_MARGIN, self.end + READ_MARGIN


def local_day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first valid instant (UTC) of the local day. If the zone skipped that day, of the next one."""
    return first_instant(datetime.combine(day, time.min), zone)


def nightly_window(
    now: datetime,
    zone: ZoneInfo,
    archive_from: date,
    archived_until: datetime | None,
    lookback_days: int,
    nightly_from: date | None = None,
) -> Window | None:
    """The window of a nightly run at ``now``, up to the start of today in ``zone`` (domain.md 2.2).

    It begins at the last archived instant, moved back by ``lookback_days`` local days, but never before
    ``archive_from``. The first one begins at ``nightly_from`` if a backfill covers the time before (2.14),
    else at ``archive_from``. None if there is nothing to plan.
    """
    today = now.astimezone(zone).date()
    first = nightly_from or archive_from
    if first >= today:
        return None
    resume = first
    if archived_until is not None:
        resume = min(max(archived_until.astimezone(zone).date(), first), today)
    # The first night has nothing to look back on.
    earliest = first if archived_until is None else min(first, archive_from)
    lookback = min(timedelta(days=lookback_days), resume - earliest)
    start, end = local_day_start(resume - lookback, zone), local_day_start(today, zone)
    return Window(start, end, zone) if start < end else None


def validate_window(start: datetime, end: datetime, max_days: int) -> None:
    """Raise ValidationFailed naming ``window_start`` or ``window_end`` if the window cannot be archived.

    Both instants need an offset. The end is after the start, at most ``max_days`` days later.
    """
    errors = [
        error
        for field, instant in (("window_start", start), ("window_end", end))
        if (error := _instant_error(field, instant)) is not None
    ]
    if not errors and end <= start:
        errors.append(FieldError("window_end", "must lie after the start of the window", "range_order"))
    if not errors and end - start > timedelta(days=max_days):
        errors.append(
            FieldError("window_end", f"the window must not be longer than {max_days} days", "range_too_long")
        )
    if errors:
        raise ValidationFailed(errors)


def _instant_error(field: str, instant: datetime) -> FieldError | None:
    if instant.utcoffset() is None:
        return FieldError(field, "must carry a UTC offset, for example Z", "time_zone_missing")
    # Compared without the offset: converting an instant at the edge of the calendar would overflow.
    if not EARLIEST.replace(tzinfo=None) <= instant.replace(tzinfo=None) <= LATEST.replace(tzinfo=None):
        return FieldError(field, f"must lie between {EARLIEST.year} and {LATEST.year}", "out_of_range")
    return None
