"""Values of iCalendar properties: dates, times, durations, periods, texts (RFC 5545 3.3)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from infra.local.graph_simulator.loading.text import Property

_MOMENT = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d))?(?:[.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_DURATION = re.compile(
    r"([+-]?)P(?=.)(?:(\d{1,6})W)?(?:(\d{1,7})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,9})M)?(?:(\d{1,10})S)?)?",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([nN,;:\"\\])")
_COMMA = re.compile(r"(?<!\\)((?:\\\\)*),")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date (``wall`` is its midnight), or a time: in UTC, in the zone that ``tzid`` names, or floating."""

    wall: datetime
    is_date: bool
    utc: bool
    tzid: str

    @property
    def day(self) -> date:
        """The date as written."""
        return self.wall.date()


@dataclass(frozen=True, slots=True)
class Length:
    """A duration: its days are nominal, the rest exact (RFC 5545 3.3.6)."""

    days: timedelta
    rest: timedelta

    @property
    def total(self) -> timedelta:
        """Days of 24 hours and the rest."""
        return self.days + self.rest


def moment_of(text: str, params: dict[str, str]) -> Moment:
    """A DATE or DATE-TIME. ``VALUE=DATE`` wins over a time in the text. Raises ``ValueError``."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{_shown(text)} is not a date or a time")
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        wall = datetime(int(year), int(month), int(day))  # noqa: DTZ001 - wall-clock time
        if hour is None or params.get("VALUE", "").upper() == "DATE":
            return Moment(wall, True, False, "")
        # RFC 5545 3.3.12: a leap second is read as the second before; 24:00 is the next midnight.
        length = timedelta(hours=int(hour), minutes=int(minute), seconds=min(int(second or 0), 59))
        if int(hour) > 24 or int(minute) > 59 or int(second or 0) > 60 or length > timedelta(days=1):
            raise ValueError
        wall += length
    except (ValueError, OverflowError):
        raise ValueError(f"{_shown(text)} is not a date or a time that exists") from None
    if offset is None:
        return Moment(wall, False, False, params.get("TZID", "").strip())
    if offset in "zZ":
        return Moment(wall, False, True, "")
    digits = offset[1:].replace(":", "")
    east = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return Moment(wall - east if offset[0] == "+" else wall + east, False, True, "")


def length_of(text: str) -> Length:
    """A DURATION. Raises ``ValueError``."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{_shown(text)} is not a duration")
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in match.groups()[1:])
    sign = -1 if match[1] == "-" else 1
    try:
        return Length(
            sign * timedelta(weeks=weeks, days=days),
            sign * timedelta(hours=hours, minutes=minutes, seconds=seconds),
        )
    except OverflowError:
        raise ValueError(f"{_shown(text)} is too long") from None


def moments_of(found: Property) -> Iterator[tuple[Moment, Length | Moment | None]]:
    """Every date of EXDATE or RDATE; of a PERIOD its start, and its length or end. Raises ``ValueError``."""
    for text in found.value.split(","):
        if not text.strip():
            continue
        start, slash, rest = text.partition("/")
        until: Length | Moment | None = None
        if slash:
            until = length_of(rest) if "P" in rest.upper() else moment_of(rest, _plain(found.params))
        yield moment_of(start, _plain(found.params) if slash else found.params), until


def text_of(value: str) -> str:
    """A TEXT without its escapes (RFC 5545 3.3.11)."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def texts_of(value: str) -> list[str]:
    """A list of TEXT values separated by commas."""
    if "\\" not in value:
        return value.split(",")
    return [text_of(part) for part in _COMMA.sub(r"\1" + "\0", value).split("\0")]


def stamp_of(found: Property | None) -> datetime | None:
    """The UTC instant of DTSTAMP and the like; ``None`` if there is none that can be read."""
    if found is None:
        return None
    try:
        moment = moment_of(found.value, found.params)
    except ValueError:
        return None
    return moment.wall.replace(tzinfo=UTC)


def _plain(params: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if name != "VALUE"}


def _shown(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 60 else f"{text[:57]}…")
