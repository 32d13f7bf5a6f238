"""Time zones of iCalendar files: what a TZID means in a file, and what was assumed where nothing says it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

from infra.local.graph_simulator.loading.definitions import DefinedZone, same_clock, samples_of
from infra.local.graph_simulator.loading.text import Component
from infra.local.graph_simulator.values.zones import CUSTOM_ZONE, UTC_ZONE, find_zone
from shared.domain.times.zone_names import fixed_offset, zone_key


@dataclass(frozen=True, slots=True)
class FileZone:
    """A zone as Graph would know it; ``original`` is what it calls the zone in ``originalStartTimeZone``.

    ``zone`` is ``None`` for a clock that no known zone has: such times are read with ``clock`` and told to
    Graph in UTC.
    """

    name: str
    zone: ZoneInfo | None
    original: str
    clock: tzinfo

    def instant(self, wall: datetime) -> datetime:
        """The UTC instant of a wall-clock time in this zone.

        In a gap the offset before it counts, of a time shown twice the first (RFC 5545 3.3.5).
        """
        return wall.replace(tzinfo=self.clock).astimezone(UTC)

    def wall(self, instant: datetime) -> datetime:
        """What this clock shows at an instant, naive."""
        return instant.astimezone(self.clock).replace(tzinfo=None, fold=0)

    def day(self, instant: datetime) -> date:
        """The local date of an instant."""
        return self.wall(instant).date()


UTC_FILE_ZONE = FileZone("UTC", UTC_ZONE, "UTC", UTC_ZONE)


def known_zone(tzid: str) -> FileZone | None:
    """The zone that a name alone says, whatever a file defines; Graph's own spelling of a name is kept."""
    text = tzid.strip().strip('"')
    key = zone_key(text)
    if key is not None:
        name = text if find_zone(text) is not None else key
        zone = find_zone(key)
        return FileZone(name, zone, name, zone) if zone is not None else None
    offset = fixed_offset(text)
    if offset is None:
        return None
    return FileZone("UTC", None, CUSTOM_ZONE, timezone(offset))


class FileZones:
    """Resolves the TZIDs of one calendar of a file; a VTIMEZONE of the file wins over a known name."""

    def __init__(self, default: FileZone, defined: Mapping[str, DefinedZone], years: set[int]) -> None:
        """``years``: when definitions of the file must agree with a zone for it to be the same."""
        self.default = default
        self.assumed: Counter[str] = Counter()
        #: TZIDs whose definition in the file differs from the zone of that name.
        self.differing: set[str] = set()
        self._defined = defined
        self._samples = samples_of(years)
        self._found: dict[str, FileZone | None] = {}

    def find(self, tzid: str) -> FileZone:
        """The zone of a TZID; the default one if neither we nor the file know it, which is counted."""
        if tzid not in self._found:
            self._found[tzid] = self._resolve(tzid)
        found = self._found[tzid]
        if found is None:
            self.assumed[tzid] += 1
            return self.default
        return found

    def _resolve(self, tzid: str) -> FileZone | None:
        known = known_zone(tzid)
        definition = self._defined.get(tzid)
        if definition is None:
            return known
        if known is not None and same_clock(definition, known.clock, self._samples):
            return known
        if known is not None:
            self.differing.add(tzid)
        return named_definition(definition, self._samples, self.default)


def named_definition(definition: DefinedZone, samples: list[datetime], first: FileZone | None) -> FileZone:
    """The known zone whose clock a definition has, ``first`` asked first, or the clock without a name."""
    names = [first.name] if first is not None else []
    for name in (*names, *win_tz):
        zone = find_zone(name)
        if zone is not None and same_clock(definition, zone, samples):
            return FileZone(name, zone, CUSTOM_ZONE, zone)
    return FileZone("UTC", None, CUSTOM_ZONE, definition)


def default_zone(calendar: Component, defined: Mapping[str, DefinedZone], years: set[int]) -> FileZone | None:
    """The zone of a calendar: X-WR-TIMEZONE, else the commonest TZID, else its only VTIMEZONE.

    Floating times and the days of the range are its.
    """
    samples = samples_of(years)
    said = calendar.value("X-WR-TIMEZONE")
    for tzid in (said, *_by_use(calendar), *(defined if len(defined) == 1 else ())):
        definition = defined.get(tzid)
        known = known_zone(tzid) if tzid else None
        if definition is not None and (known is None or not same_clock(definition, known.clock, samples)):
            known = named_definition(definition, samples, None)
        if known is not None and known.zone is not None:
            return known
    return None


def _by_use(calendar: Component) -> Iterable[str]:
    seen: Counter[str] = Counter()
    for event in calendar.walk("VEVENT"):
        start = event.first("DTSTART")
        if start is not None and start.params.get("TZID"):
            seen[start.params["TZID"].strip()] += 1
    # Among equals one that needs no guess.
    return sorted(seen, key=lambda tzid: (-seen[tzid], find_zone(tzid) is None))
