"""Time zones of iCalendar files: Windows and IANA names, vendor prefixes, zones a file defines."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from icalendar import Component
from tzlocal.windows_tz import win_tz

from .zones import CUSTOM_ZONE, UTC_ZONE, find_zone


@dataclass(frozen=True, slots=True)
class FileZone:
    """A zone as Graph would know it; ``original`` is what it calls the zone in ``originalStartTimeZone``.

    ``zone`` is ``None`` for a definition of the file that no known zone matches: such times are read with
    ``clock`` and told to Graph in UTC.
    """

    name: str
    zone: ZoneInfo | None
    original: str
    clock: tzinfo

    def instant(self, wall: datetime) -> datetime:
        """The UTC instant of a wall-clock time in this zone."""
        return wall.replace(tzinfo=self.clock).astimezone(UTC)

    def told(self, instant: datetime) -> tuple[datetime, "FileZone"]:
        """An instant as wall-clock time here, or in UTC where the clock shows that time twice."""
        wall = instant.astimezone(self.clock).replace(tzinfo=None, fold=0)
        if self.instant(wall) == instant:
            return wall, self
        return instant.astimezone(UTC).replace(tzinfo=None), FileZone(
            "UTC", UTC_ZONE, self.original, UTC_ZONE
        )


def known_zone(tzid: str) -> tuple[str, ZoneInfo] | None:
    """Name and zone of a TZID, also behind a vendor's prefix: ``/citadel.org/20210210_1/Europe/Berlin``."""
    text = tzid.strip().strip('"')
    zone = find_zone(text)
    if zone is not None:
        return text, zone
    parts = text.strip("/").split("/")
    for count in (3, 2):
        name = "/".join(parts[-count:])
        zone = find_zone(name) if len(parts) > count else None
        if zone is not None:
            return name, zone
    return None


def calendar_zone(calendars: Iterable[Component], wished: str | None, fallback: str) -> str:
    """The file's zone: X-WR-TIMEZONE, else the commonest TZID, else the wished one, else the mailbox's."""
    seen: Counter[str] = Counter()
    for calendar in calendars:
        named = known_zone(str(calendar.get("X-WR-TIMEZONE", "")))
        if named is not None:
            return named[0]
        for event in calendar.walk("VEVENT"):
            start = event.get("DTSTART")
            tzid = known_zone(str(start.params.get("TZID", ""))) if hasattr(start, "params") else None
            if tzid is not None:
                seen[tzid[0]] += 1
    return seen.most_common(1)[0][0] if seen else wished or fallback


class FileZones:
    """Resolves the TZIDs of one file; ``years`` bound the comparison of its definitions with known ones."""

    def __init__(self, default: str, defined: Mapping[str, tzinfo], years: tuple[int, int]) -> None:
        zone = find_zone(default)
        if zone is None:
            raise ValueError(f"unknown time zone {default!r}")
        self.default = FileZone(default, zone, default, zone)
        self._defined = dict(defined)
        self._years = years
        self._found: dict[str, FileZone | None] = {}

    def find(self, tzid: str) -> FileZone | None:
        """The zone of a TZID; ``None`` if neither we nor the file know it."""
        if tzid not in self._found:
            self._found[tzid] = self._resolve(tzid)
        return self._found[tzid]

    def _resolve(self, tzid: str) -> FileZone | None:
        known = known_zone(tzid)
        if known is not None:
            return FileZone(known[0], known[1], known[0], known[1])
        definition = self._defined.get(tzid)
        if definition is None:
            return None
        samples = self._samples()
        offsets = [moment.astimezone(definition).utcoffset() for moment in samples]
        for name in (self.default.name, *win_tz):
            zone = find_zone(name)
            if zone is not None and [moment.astimezone(zone).utcoffset() for moment in samples] == offsets:
                return FileZone(name, zone, CUSTOM_ZONE, zone)
        return FileZone("UTC", None, CUSTOM_ZONE, definition)

    def _samples(self) -> list[datetime]:
        """Every third day of the first and the last year: a file's own definition is slow to ask."""
        return [
            datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
            for year in sorted(set(self._years))
            for day in range(0, 365, 3)
        ]


def utc() -> FileZone:
    """UTC, as times with ``Z`` have it."""
    return FileZone("UTC", UTC_ZONE, "UTC", UTC_ZONE)
