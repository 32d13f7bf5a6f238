"""Time zones: finding one by any of its names, and going between wall time and instants."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

UTC_ZONE = ZoneInfo("UTC")

# Graph's own spelling of UTC (dateTimeTimeZone); its sibling tzone://Microsoft/Custom names no zone at all.
_GRAPH_UTC = "tzone://microsoft/utc"
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA or Windows name in any letter case; None for a custom or unknown name.

    Names are those of the ``tzdata`` package, so that every machine knows the same ones, and of the
    Unicode CLDR table of Windows zones.
    """
    return _find_zone(name.strip().casefold())


@lru_cache(maxsize=1024)
def _find_zone(folded: str) -> ZoneInfo | None:
    if folded in ("utc", _GRAPH_UTC):
        return UTC_ZONE
    key = _windows_names().get(folded) or _iana_names().get(folded)
    return ZoneInfo(key) if key else None


@cache
def _windows_names() -> dict[str, str]:
    return {windows.casefold(): iana for windows, iana in win_tz.items()}


@cache
def _iana_names() -> dict[str, str]:
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return {name.casefold(): name for name in names if name != "Factory"}


def local_wall_time(instant: datetime, zone: tzinfo) -> datetime | None:
    """The naive wall time of ``instant`` in ``zone``, or None where it would not lead back to it.

    It does not where the clock shows the same time twice (the end of summer time), and where the
    offset has seconds (before standard time), which Graph does not know.
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
