"""Time zone names as Graph accepts them: Windows and IANA."""

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tzlocal.windows_tz import win_tz

CUSTOM_ZONE = "tzone://Microsoft/Custom"
_WINDOWS: dict[str, str] = {name.casefold(): zone for name, zone in win_tz.items()}
_UTC_NAMES = frozenset({"utc", "etc/utc", "etc/gmt", "tzone://microsoft/utc"})
UTC_ZONE = ZoneInfo("UTC")


@lru_cache(maxsize=1024)
def find_zone(name: str) -> ZoneInfo | None:
    """The zone of a Windows (any case) or IANA (exact) name; ``None`` if Graph would not know it."""
    folded = name.casefold()
    if folded in _UTC_NAMES:
        return UTC_ZONE
    iana = _WINDOWS.get(folded)
    if iana is not None:
        return ZoneInfo(iana)
    if not name or name.startswith(("/", ".")) or ".." in name:
        return None
    try:
        return ZoneInfo(name) if name in _iana_names() else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


@lru_cache(maxsize=1)
def _iana_names() -> frozenset[str]:
    return frozenset(available_timezones())
