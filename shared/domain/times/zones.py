"""Time zones: finding one by any of its names, and going between wall time and instants."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.domain.times.zone_names import zone_key

UTC_ZONE = ZoneInfo("UTC")

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of a name in any letter case; None for a custom or unknown name.

    Every name that says which zone it is will do (``zone_names.zone_key``): IANA, Windows, display names,
    vendors' prefixes and numbers, whole hours.
    """
    key = zone_key(name)
    if key is None:
        return None
    return UTC_ZONE if key == "UTC" else ZoneInfo(key)


def local_wall_time(instant: datetime, zone: tzinfo) -> datetime | None:
    """The naive wall time of ``instant`` in ``zone``, or None where it would not lead back to it.

    It does not where the clock shows the same time twice (the end of summer time), and where the
    offset has seconds (before standard time), which mailboxes do not know.
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
    """The first UTC instant at which the clocks of ``zone`` show the naive ``wall`` time.

    Where they never show it (a gap), the first instant after the gap; where they show it twice,
    the earlier one. Raises OverflowError at the edges of the calendar (year 1, year 9999).
    """
    local = wall.replace(tzinfo=zone, fold=0)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return instant
    # In a gap fold=1 counts with the offset after it: that instant lies before the jump, fold=0's not.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    offset_after = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset_after:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
