"""iCalendar files into a calendar: series, exceptions, zones; what cannot be represented is listed."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import icalendar
from icalendar import Component

from .calendar_events import READ, EventReader, UnreadableEventError
from .calendar_reading import read_calendars
from .calendar_series import SeriesReader
from .calendar_zones import FileZones, calendar_zone
from .errors import GraphError, LoadError
from .loading import Loader
from .model import Calendar, Json
from .zones import find_zone

_YEAR = timedelta(days=365)
_NOT_EVENTS = ("VTODO", "VJOURNAL", "VFREEBUSY")


def import_calendar(loader: Loader, calendar: Calendar, raw: bytes, query: Mapping[str, str]) -> Json:
    """Load an iCalendar text into a calendar; raises ``LoadError`` for a text that is none.

    ``from`` and ``to`` are dates in the file's zone, the last exclusive; without them: the last 12 months
    that hold events. Whole series are loaded if one of their occurrences lies in the range. The report counts
    ``loaded`` (new Graph events), ``series`` and ``events`` (occurrences that start in the range) and lists
    ``unrepresentable``.
    """
    return _Import(loader, calendar, raw, query).run()


class _Import:
    def __init__(self, loader: Loader, calendar: Calendar, raw: bytes, query: Mapping[str, str]) -> None:
        self._loader = loader
        self._calendar = calendar
        self._notes: list[Json] = []
        self._files, broken = read_calendars(raw)
        self._notes.extend(broken)
        wished = query.get("zone")
        if wished is not None and find_zone(wished) is None:
            raise LoadError(f"unknown time zone {wished!r}")
        self._zone = calendar_zone(self._files, wished, calendar.mailbox.time_zone)
        self._from, self._to = _day(query, "from"), _day(query, "to")
        if self._from and self._to and self._from >= self._to:
            raise LoadError("from must be before to")

    def run(self) -> Json:
        zones = FileZones(self._zone, self._defined(), self._years())
        reader = EventReader(zones, self._calendar.mailbox.address, self.note)
        series = SeriesReader(reader, self._loader, self._calendar, self.note)
        ignored: Counter[str] = Counter()
        for file in self._files:
            self._list_others(file)
            for event in file.walk("VEVENT"):
                ignored.update(name for name in event if name not in READ)
                for name, fault in getattr(event, "errors", []):
                    if name != "DTSTART":
                        self.note(event, f"{name or 'a line'} cannot be read ({fault})")
                try:
                    series.add(event)
                except UnreadableEventError as error:
                    self.note(event, f"not loaded: {error}")
                except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
                    # Files in the wild hold values the parser lets through; one event must not stop the rest.
                    self.note(event, f"not loaded: {type(error).__name__}: {error}")
        first, last = self._range(series)
        entries = series.entries(first, last)
        loaded, fingerprints = self._loader.load_all(self._calendar, entries, self._refused)
        return {
            "loaded": loaded,
            "present": len(entries) - loaded,
            "series": sum("recurrence" in entry for entry in entries),
            "events": self._count(fingerprints, first, last),
            "outside_range": series.outside_range,
            "zone": self._zone,
            "range": {"from": first.isoformat(), "to": last.isoformat()},
            "unrepresentable": self._notes,
            "ignored_properties": dict(ignored),
        }

    def note(self, event: Component, reason: str) -> None:
        """List something that cannot be represented, once."""
        entry = {
            "uid": str(event.get("UID", "")),
            "summary": str(event.get("SUMMARY", "")),
            "start": _start_text(event),
            "reason": reason,
        }
        if entry not in self._notes:
            self._notes.append(entry)

    def _refused(self, entry: Json, error: GraphError | LoadError) -> None:
        self._notes.append(
            {
                "uid": entry.get("iCalUId") or "",
                "summary": entry.get("subject") or "",
                "start": entry["start"]["dateTime"],
                "reason": f"not loaded: {error}",
            }
        )

    def _list_others(self, file: Component) -> None:
        for kind in _NOT_EVENTS:
            for component in file.walk(kind):
                self.note(component, f"{kind} is not a calendar event")

    def _defined(self) -> dict[str, tzinfo]:
        found: dict[str, tzinfo] = {}
        for file in self._files:
            for definition in file.walk("VTIMEZONE"):
                if not isinstance(definition, icalendar.Timezone):
                    continue
                if any(_frequency(part) not in ("", "YEARLY") for part in definition.walk()):
                    self.note(definition, f"time zone {definition.get('TZID')} changes more than yearly")
                    continue
                try:
                    found[str(definition.get("TZID"))] = definition.to_tz()
                except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                    self.note(definition, f"time zone {definition.get('TZID')} cannot be read ({error})")
        return found

    def _years(self) -> tuple[int, int]:
        years = {datetime.now(UTC).year}
        for file in self._files:
            for event in file.walk("VEVENT"):
                text = _start_text(event)
                if text[:4].isdecimal() and 1900 < int(text[:4]) < 2200:
                    years.add(int(text[:4]))
        return max(min(years), max(years) - 20), max(years)

    def _range(self, series: SeriesReader) -> tuple[date, date]:
        """The wished range, else the year up to the last event that is not in the future."""
        now = datetime.now(UTC).replace(tzinfo=None)
        last = self._to
        if last is None:
            latest = series.latest(now) or now
            last = latest.date() + timedelta(days=1)
            if self._from is not None and self._from >= last:
                last = self._from + _YEAR
        return self._from or last - _YEAR, last

    def _count(self, fingerprints: set[str], first: date, last: date) -> int:
        zone = find_zone(self._zone) or UTC
        start = datetime(first.year, first.month, first.day, tzinfo=zone)
        end = datetime(last.year, last.month, last.day, tzinfo=zone)
        return self._loader.count_starts(self._calendar, fingerprints, start, end)


def _frequency(part: Component) -> str:
    """How often the clocks of a zone's definition change; slow to ask if it is more than yearly."""
    rule: Any = part.get("RRULE")
    values = rule.get("FREQ") if isinstance(rule, dict) else None
    return str(values[0]).upper() if values else ""


def _start_text(event: Component) -> str:
    start: Any = event.get("DTSTART")
    if not hasattr(start, "to_ical"):
        return ""
    try:
        encoded = start.to_ical()
    except ValueError:
        return ""
    return encoded.decode("utf-8", "replace") if isinstance(encoded, bytes) else str(encoded)


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise LoadError(f"{name} must be a date (YYYY-MM-DD), not {text!r}") from None
