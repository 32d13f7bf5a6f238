"""Time zones: finding one by any of its names, and converting between wall times and instants."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.domain.times.zone_names import zone_key

UTC_ZONE = ZoneInfo("UTC")

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of a name, case ignored. None for a custom or unknown name.

    It accepts every name that ``zone_names.zone_key`` knows: IANA, Windows, display names, vendors' prefixes
    and numbers, and whole hours.
    """
    key = zone_key(name)
    if key is None:
        return None
    return UTC_ZONE if key == "UTC" else ZoneInfo(key)


def local_wall_time(instant: datetime, zone: tzinfo) -> datetime | None:
    """The naive wall time of ``instant`` in ``zone``. None if it does not convert back to the same instant.

    That happens if the clock shows the time twice (end of summer time). It also happens if the offset has
    seconds (before standard time), which mailboxes do not support.
    """
    if zone is UTC_ZONE:
        return instant.astimezone(UTC).replace(tzinfo=None)
    local = instant.astimezone(zone)
    offset = local.utcoffset()
    if offset is None or offset % _MINUTE or local.replace(fold=1 - local.fold).utcoffset() != offset:
        return None
    return local.replace(tzinfo=None, fold=0)


@lru_cache(maxsize=4096)
def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first UTC instant at which clocks in ``zone`` show the naive ``wall`` time.

    If they never show it (a gap), the first instant after the gap. If they show it twice, the earlier one.
    Raises OverflowError at the edges of the calendar (year 1, year 9999).
    """
    local = wall.replace(tzinfo=zone, fold=0)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return instant
    # In a gap, fold=1 uses the offset after the gap: that instant is before the jump, unlike that of fold=0.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    offset_after = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset_after:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
