"""Graph's dateTimeTimeZone values: wall-clock text with seven fractional digits beside a zone name."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from infra.local.graph_simulator.values.errors import GraphError, bad_request, invalid_value
from infra.local.graph_simulator.values.zones import UTC_ZONE, find_zone

_WALL = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,7}))?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What Exchange's calendars hold.
_FIRST_YEAR, _LAST_YEAR = 1601, 4499
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """When an event is: wall-clock times in their own zones and, in microseconds since 1970, the instants.

    All-day events keep their dates: their instants are those of UTC midnights (graph.md, calendarView).
    """

    start: datetime
    end: datetime
    start_zone: str
    end_zone: str
    all_day: bool
    start_us: int
    end_us: int


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // MICROSECOND


def moment_of(instant_us: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=instant_us)


def wall_text(wall: datetime) -> str:
    """Seven fractional digits and no zone, as Graph writes ``dateTime``."""
    return wall.replace(tzinfo=None).isoformat(timespec="microseconds") + "0"


def instant_text(moment: datetime) -> str:
    """An Edm.DateTimeOffset with ``Z``, without the fraction if it is zero."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return text + "Z"


def stamp_now() -> str:
    """The present as Graph stamps items: UTC, seven digits, ``Z``."""
    return utc_now().replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"


def utc_now() -> datetime:
    """The present by ``time.time``, the one clock of the simulator."""
    return datetime.fromtimestamp(time.time(), UTC)


@lru_cache(maxsize=65536)
def wall_instant(wall: datetime, zone: ZoneInfo) -> int:
    """The instant of a wall-clock time; times in a DST gap move forward with the old offset."""
    return microseconds(wall.replace(tzinfo=zone).astimezone(UTC))


def unsupported_zone(name: object) -> GraphError:
    """400 TimeZoneNotSupportedException."""
    return bad_request(
        "A valid TimeZone value must be specified. The following TimeZone value is not supported: "
        f"'{name if isinstance(name, str) else ''}'.",
        "TimeZoneNotSupportedException",
    )


def require_zone(name: Any) -> ZoneInfo:
    """The zone of a Windows or IANA name; raises 400 for any other."""
    zone = find_zone(name) if isinstance(name, str) else None
    if zone is None:
        raise unsupported_zone(name)
    return zone


def parse_wall(value: Any, name: str) -> tuple[datetime, str, ZoneInfo]:
    """Wall-clock time, zone name as given and zone of a dateTimeTimeZone; raises 400 as Graph does.

    ``Z`` and offsets inside ``dateTime`` are refused (graph.md, Event).
    """
    if not isinstance(value, dict):
        raise invalid_value(f"{name} must be a dateTimeTimeZone.")
    unknown = [key for key in value if key not in ("dateTime", "timeZone") and not key.startswith("@odata.")]
    if unknown:
        raise invalid_value(f"{name} has an unknown member '{unknown[0]}'.")
    text, zone_name = value.get("dateTime"), value.get("timeZone")
    if not isinstance(text, str):
        raise invalid_value(f"{name}.dateTime is required.")
    zone = require_zone(zone_name)
    match = _WALL.fullmatch(text)
    if match is None:
        raise invalid_value(f"{name}.dateTime '{text}' must be a local time without Z or offset.")
    day, clock, fraction = match.groups()
    try:
        wall = datetime.fromisoformat(f"{day}T{clock or '00:00'}")
    except ValueError:
        raise invalid_value(f"{name}.dateTime '{text}' is not a time.") from None
    if not _FIRST_YEAR <= wall.year <= _LAST_YEAR:
        raise invalid_value(f"{name}.dateTime '{text}' is outside the years the calendar can hold.")
    if fraction:
        wall = wall.replace(microsecond=int(fraction.ljust(7, "0")[:6]))
    return wall, str(zone_name), zone


def make_span(start: Any, end: Any, *, all_day: bool) -> Span:
    """Validate start and end together; all-day events run midnight to midnight in one zone, end exclusive."""
    start_wall, start_zone, zone_of_start = parse_wall(start, "start")
    end_wall, end_zone, zone_of_end = parse_wall(end, "end")
    return build_span(start_wall, start_zone, zone_of_start, end_wall, end_zone, zone_of_end, all_day=all_day)


def build_span(
    start: datetime,
    start_zone: str,
    zone_of_start: ZoneInfo,
    end: datetime,
    end_zone: str,
    zone_of_end: ZoneInfo,
    *,
    all_day: bool,
) -> Span:
    """A span of known zones; raises 400 where Graph refuses the pair of times."""
    if all_day:
        if start_zone != end_zone:
            raise invalid_value("Start and end of an all-day event must be in the same time zone.")
        if start.time() != datetime.min.time() or end.time() != datetime.min.time():
            raise invalid_value("An all-day event starts and ends at midnight.")
        if end - start < timedelta(days=1):
            raise invalid_value("An all-day event lasts at least 24 hours.")
        zone_of_start = zone_of_end = UTC_ZONE
    start_us, end_us = wall_instant(start, zone_of_start), wall_instant(end, zone_of_end)
    if end_us < start_us:
        if end < start or zone_of_start != zone_of_end:
            raise invalid_value("The end of an event must not be before its start.")
        # The start lies in a gap of the clock, which moves it past the end: the length stays.
        end_us = start_us + (end - start) // MICROSECOND
    return Span(start, end, start_zone, end_zone, all_day, start_us, end_us)


def parse_window(value: str | None, name: str) -> int:
    """The instant of a ``startDateTime``/``endDateTime`` parameter; without an offset it is UTC."""
    if not value:
        raise bad_request(
            f"This request requires a time window specified by the query string parameters StartDateTime "
            f"and EndDateTime. {name} is missing.",
            "ErrorInvalidParameter",
        )
    text = value if "." not in value else re.sub(r"(\.\d{6})\d+", r"\1", value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad_request(
            f"The value '{value}' of parameter '{name}' is invalid.", "ErrorInvalidParameter"
        ) from None
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
