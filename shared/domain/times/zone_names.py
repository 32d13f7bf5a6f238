"""Normalises time zone names from any program to an IANA key or an offset.

Names come from mailboxes, people and calendar files. Windows names follow the Unicode CLDR table
(``tzlocal``). IANA names follow the ``tzdata`` package. So every machine knows the same names.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

# A mailbox writes UTC like this (dateTimeTimeZone). Its sibling tzone://Microsoft/Custom names no zone.
_UTC_NAMES = frozenset({"utc", "tzone://microsoft/utc", "z", "zulu", "coordinated universal time"})
_AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_LONGEST = 255
_OFFSET = re.compile(r"(?:utc|gmt)?\s?([+-])(\d{1,2})(?:[:.]?([0-5]\d))?(?:[:.]?00)?")
_DISPLAY = re.compile(r"\((?:utc|gmt)?\s*([+-]\d{1,2}(?:[:.]?\d\d)?)?\)\s*(\S.*)")
_LOTUS = re.compile(r"\$?zn=([^$]+)")
_MAX_OFFSET = timedelta(hours=14)

#: Names that are in no library's table: display names without a city, former Windows names, and names that
#: Lotus Notes, Exchange and phones write.
_OTHERS = {
    "eastern time": "America/New_York",
    "central time": "America/Chicago",
    "mountain time": "America/Denver",
    "pacific time": "America/Los_Angeles",
    "alaska": "America/Anchorage",
    "alaska time": "America/Anchorage",
    "hawaii": "Pacific/Honolulu",
    "hawaii time": "Pacific/Honolulu",
    "hawaii standard time": "Pacific/Honolulu",
    "arizona": "America/Phoenix",
    "indiana (east)": "America/Indianapolis",
    "atlantic time": "America/Halifax",
    "newfoundland": "America/St_Johns",
    "saskatchewan": "America/Regina",
    "central america": "America/Guatemala",
    "greenland": "America/Godthab",
    "mid-atlantic": "Etc/GMT+2",
    "mid-atlantic standard time": "Etc/GMT+2",
    "cape verde is.": "Atlantic/Cape_Verde",
    "cabo verde is.": "Atlantic/Cape_Verde",
    "greenwich mean time": "Europe/London",
    "british summer time": "Europe/London",
    "british time": "Europe/London",
    "west central africa": "Africa/Lagos",
    "western european time": "Europe/Lisbon",
    "central european time": "Europe/Berlin",
    "central european summer time": "Europe/Berlin",
    "mitteleuropäische zeit": "Europe/Berlin",
    "mitteleuropäische normalzeit": "Europe/Berlin",
    "mitteleuropäische sommerzeit": "Europe/Berlin",
    "eastern european time": "Europe/Bucharest",
    "bern": "Europe/Berlin",
    "abu dhabi": "Asia/Dubai",
    "chennai": "Asia/Calcutta",
    "mumbai": "Asia/Calcutta",
    "new delhi": "Asia/Calcutta",
    "beijing": "Asia/Shanghai",
    "hanoi": "Asia/Bangkok",
    "osaka": "Asia/Tokyo",
    "sapporo": "Asia/Tokyo",
    "solomon is.": "Pacific/Guadalcanal",
    "canberra": "Australia/Sydney",
    "wellington": "Pacific/Auckland",
    "pretoria": "Africa/Johannesburg",
    "edinburgh": "Europe/London",
    "international date line west": "Etc/GMT+12",
    "kamchatka standard time": "Asia/Kamchatka",
    "armenian standard time": "Asia/Yerevan",
    "mexico standard time": "America/Mexico_City",
    "mexico standard time 2": "America/Mazatlan",
    "us eastern": "America/Indianapolis",
    "est5edt": "America/New_York",
    "cst6cdt": "America/Chicago",
    "mst7mdt": "America/Denver",
    "pst8pdt": "America/Los_Angeles",
}


@lru_cache(maxsize=1024)
def zone_key(name: str) -> str | None:
    """The IANA key of a zone by any of its names, case ignored. None if the zone is unclear.

    - IANA and Windows names, also with a number after them or without ``Standard Time`` (Lotus Notes).
    - Paths with a vendor's prefix (``/example.org/20260101_1/Europe/Berlin``).
    - Display names (``(UTC+01:00) Amsterdam, Berlin``) and single cities.
    - Offsets of whole hours (``UTC+2``).
    """
    if len(name) > _LONGEST:
        return None
    folded = " ".join(name.strip().strip("\"'").casefold().split())
    found = _exact(folded)
    if found is not None:
        return found
    if _offset(folded) is not None:
        return _whole_hours(folded)
    for candidate in _candidates(folded):
        found = _exact(candidate)
        if found is not None:
            return found
    return _displayed(folded)


def fixed_offset(name: str) -> timedelta | None:
    """The offset that a name is or begins with (``UTC+05:30``, ``(GMT-04.30) Somewhere``), else None."""
    folded = name.strip().strip("\"'").casefold()[:_LONGEST]
    display = _DISPLAY.fullmatch(folded)
    if display is not None:
        return _offset(display[1] or "+0")
    return _offset(folded)


def _candidates(folded: str) -> Iterator[str]:
    lotus = _LOTUS.search(folded)
    if lotus is not None:
        yield lotus[1].strip()
    if folded.startswith("/"):
        parts = folded.strip("/").split("/")
        yield from ("/".join(parts[-count:]) for count in (3, 2) if len(parts) >= count)
        yield parts[-1]
    if "/" not in folded.strip("/") or folded.startswith(tuple(f"{area.casefold()}/" for area in _AREAS)):
        yield _without_number(folded)


def _exact(folded: str) -> str | None:
    if folded in _UTC_NAMES:
        return "UTC"
    windows, iana = _windows_names(), _iana_names()
    underscored = folded.replace(" ", "_")
    for table, key in (
        (windows, folded),
        (iana, folded),
        (_OTHERS, folded),
        (windows, f"{folded} standard time"),
        (
            windows,
            folded.replace(" daylight time", " standard time").replace(" summer time", " standard time"),
        ),
        (iana, underscored),
        (_cities(), underscored),
    ):
        if key in table:
            return table[key]
    return None


def _displayed(folded: str) -> str | None:
    """The zone of ``(UTC+01:00) Amsterdam, Berlin, Bern``: the zone of the city that Windows uses."""
    display = _DISPLAY.fullmatch(folded)
    if display is None:
        return None
    offset, text = _offset(display[1] or "+0"), display[2]
    bare = _without_remark(text)
    for whole in (text, bare):
        found = _exact(whole)
        if found is not None:
            return found
    cities = [_exact(city.strip()) for city in re.split(r"[,;/:]", bare) if city.strip()]
    known = [key for key in cities if key is not None]
    fitting = [key for key in known if _standard_offset(key) == offset] or known
    typical = [key for key in fitting if key in win_tz.values()]
    return next(iter(typical or fitting), None)


def _without_number(folded: str) -> str:
    """Without the number (up to three digits) that programs add to a name, in brackets or not."""
    text = folded.removesuffix(")")
    name = text.rstrip("0123456789")
    if not 1 <= len(text) - len(name) <= 3:
        return folded
    return name.removesuffix("(").rstrip(" _#-")


def _without_remark(text: str) -> str:
    """Without the remark in brackets at the end of a name."""
    name, opened, remark = text.rpartition("(")
    if not opened or not remark.endswith(")") or ")" in remark[:-1]:
        return text
    return name.rstrip()


def _whole_hours(folded: str) -> str | None:
    offset = _offset(folded)
    if offset is None or offset % timedelta(hours=1):
        return None
    hours = offset // timedelta(hours=1)
    # POSIX counts westward: Etc/GMT-2 is two hours east of Greenwich.
    return "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"


def _offset(folded: str) -> timedelta | None:
    match = _OFFSET.fullmatch(folded)
    if match is None:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return None if size > _MAX_OFFSET else size if match[1] == "+" else -size


@lru_cache(maxsize=512)
def _standard_offset(key: str) -> timedelta | None:
    """The smaller of the offsets of January and July."""
    zone = ZoneInfo(key)
    offsets = [datetime(2026, month, 1, tzinfo=UTC).astimezone(zone).utcoffset() for month in (1, 7)]
    return min((offset for offset in offsets if offset is not None), default=None)


@cache
def _windows_names() -> dict[str, str]:
    return {windows.casefold(): iana for windows, iana in win_tz.items()} | {"utc": "UTC"}


@cache
def _iana_names() -> dict[str, str]:
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return {name.casefold(): name for name in names if name != "Factory"}


@cache
def _cities() -> dict[str, str]:
    """The zone of each city that names only one zone."""
    found: dict[str, str | None] = {}
    for name in _iana_names().values():
        area, _, city = name.rpartition("/")
        if area in _AREAS:
            key = city.casefold()
            found[key] = name if found.get(key, name) == name else None
    return {city: name for city, name in found.items() if name is not None}
