"""Loads calendar files into a calendar, and reports what became of each event."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime

from infra.local.graph_simulator.loading.account import Account, Fate
from infra.local.graph_simulator.loading.definitions import DefinedZone, defined_zone
from infra.local.graph_simulator.loading.entries import Plan
from infra.local.graph_simulator.loading.events import READ, EventReader, UnreadableEventError
from infra.local.graph_simulator.loading.mailboxes import Loader
from infra.local.graph_simulator.loading.people import declined_by_someone, owner_of
from infra.local.graph_simulator.loading.recurrence_rules import Budget
from infra.local.graph_simulator.loading.sources import read_sources
from infra.local.graph_simulator.loading.text import Component
from infra.local.graph_simulator.loading.versions import Entry, newest
from infra.local.graph_simulator.loading.zones import FileZone, FileZones, default_zone, known_zone
from infra.local.graph_simulator.state.model import Calendar, Json
from infra.local.graph_simulator.values.errors import LoadError

_OTHERS = ("VTODO", "VJOURNAL", "VFREEBUSY")
#: Years whose clock changes decide whether a definition of the file is a zone that is known.
_RECENT = 20


def import_calendar(loader: Loader, calendar: Calendar, raw: bytes, query: Mapping[str, str]) -> Json:
    """Load calendar files (iCalendar, Outlook's CSV, or a zip of them); raises ``LoadError`` if none is.

    ``from`` and ``to`` are dates in the file's zone, the last exclusive; without them: the last 12 months
    that hold events. Whole series are loaded if one of their occurrences lies in the range. ``owner`` says
    whose the file is. The report counts ``loaded`` (new Graph events), ``series`` and ``events`` (occurrences
    in the range). In ``entries`` every VEVENT is counted in exactly one of loaded, outside_range,
    unrepresentable, older_version and left_to_another; the last four are listed with reason and line.
    """
    return _Import(loader, calendar, raw, query).run()


class _Import:
    def __init__(self, loader: Loader, calendar: Calendar, raw: bytes, query: Mapping[str, str]) -> None:
        self._loader = loader
        self._calendar = calendar
        self._account = Account()
        self._budget = Budget()
        wished = query.get("zone")
        if wished is not None and known_zone(wished) is None:
            raise LoadError(f"unknown time zone {wished!r}")
        self._from, self._to = _day(query, "from"), _day(query, "to")
        if self._from and self._to and self._from >= self._to:
            raise LoadError("from must be before to")
        self._files, self._remarks = read_sources(raw)
        fallback = known_zone(wished or calendar.mailbox.time_zone) or known_zone("UTC")
        if fallback is None or fallback.zone is None:
            raise LoadError(f"the time zone {wished!r} has no name that calendars know")
        self._years = _years(self._files)
        self._defined = [self._definitions(file) for file in self._files]
        self._zones = self._file_zones(fallback)
        self._owner = owner_of(self._files, query.get("owner"), calendar.mailbox.address)

    def run(self) -> Json:
        ignored: Counter[str] = Counter()
        entries: list[Entry] = []
        for file, zones in zip(self._files, self._zones, strict=True):
            self._list_others(file)
            for event in file.walk("VEVENT"):
                self._account.expect(event)
                ignored.update(each.name for each in event.properties if each.name not in READ)
                entry = self._entry(file, event, zones)
                if entry is not None:
                    entries.append(entry)
        counting = newest(entries, self._older, self._left)
        plan = Plan(counting, self._account, self._budget, self._zones[0].default)
        first, last = plan.range(self._from, self._to)
        plan.fill(self._loader, self._calendar, first, last)
        loaded, _ = self._loader.load_all(self._calendar, plan.bodies, plan.refuse)
        plan.close()
        zone = self._zones[0].default
        return {
            "loaded": loaded,
            "present": len(plan.bodies) - loaded - plan.refused,
            "series": sum("recurrence" in body for body in plan.bodies),
            "events": plan.events,
            "zone": zone.zone.key if zone.zone is not None else "UTC",
            "range": {"from": first.isoformat(), "to": last.isoformat()},
            "owner": {"address": self._owner.address or None, "said_by": self._owner.said_by or None},
            **self._account.as_json(first),
            "assumed_zones": self._assumed(),
            "remarks": self._told(),
            "ignored_properties": dict(ignored),
        }

    def _entry(self, file: Component, event: Component, zones: FileZones) -> Entry | None:
        method = file.value("METHOD").upper()
        reader = EventReader(zones, self._owner, self._account.note, cancelled=method == "CANCEL")
        try:
            if not event.whole:
                raise UnreadableEventError("the file ends inside it")
            return Entry(event, reader.times(event), reader, method, reader.moment(event, "RECURRENCE-ID"))
        except UnreadableEventError as error:
            reason = str(error)
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            # Files in the wild hold values no one foresaw; one event must not stop the rest.
            reason = f"it cannot be read ({type(error).__name__}: {error})"
        self._account.tell(event, Fate.UNREPRESENTABLE, reason)
        return None

    def _older(self, entry: Entry, newer: Entry) -> None:
        reason = f"line {newer.event.line} has a newer version (SEQUENCE {newer.sequence})"
        self._account.tell(entry.event, Fate.OLDER, reason)

    def _left(self, entry: Entry, other: Entry) -> None:
        if entry is other:
            reason = f"METHOD:{entry.method} is a message about an event that the file holds"
        else:
            reason = f"it is the same as line {other.event.line}"
        self._account.tell(entry.event, Fate.LEFT, reason)

    def _list_others(self, file: Component) -> None:
        for kind in _OTHERS:
            for component in file.walk(kind):
                self._account.note(component, f"{kind} is not a calendar event")

    def _definitions(self, file: Component) -> dict[str, DefinedZone]:
        found: dict[str, DefinedZone] = {}
        for definition in file.walk("VTIMEZONE"):
            try:
                found[definition.value("TZID")] = defined_zone(definition, self._budget)
            except (ValueError, OverflowError) as error:
                self._account.note(
                    definition, f"time zone {definition.value('TZID')!r} cannot be read: {error}"
                )
        return found

    def _file_zones(self, fallback: FileZone) -> list[FileZones]:
        found = [
            default_zone(file, defined, self._years)
            for file, defined in zip(self._files, self._defined, strict=True)
        ]
        # A file that names no zone takes that of the others.
        common = next((zone for zone in found if zone is not None), fallback)
        everywhere = {tzid: zone for defined in self._defined for tzid, zone in defined.items()}
        return [
            FileZones(zone or common, everywhere | defined, self._years)
            for zone, defined in zip(found, self._defined, strict=True)
        ]

    def _assumed(self) -> list[Json]:
        """Zones that nothing says, and as which their times were read."""
        found = [
            {"name": name, "read_as": zones.default.name, "times": count}
            for zones in self._zones
            for name, count in zones.assumed.items()
        ]
        for file, zones in zip(self._files, self._zones, strict=True):
            name = file.value("X-WR-TIMEZONE")
            if name and known_zone(name) is None and name not in zones.assumed:
                found.append({"name": name, "read_as": zones.default.name, "times": 0})
        return found

    def _told(self) -> list[str]:
        remarks = [*self._remarks, *(remark for file in self._files for remark in file.remarks)]
        for zones in self._zones:
            remarks += [
                f"time zone {tzid}: the file defines another clock than that zone has; the file's is used"
                for tzid in sorted(zones.differing)
            ]
        remarks += [
            f"{file.file or 'the file'} ends without END:VCALENDAR: something may be missing"
            for file in self._files
            if not file.whole
        ]
        declined = 0 if self._owner.address else declined_by_someone(self._events())
        if declined:
            remarks.append(
                f"the file does not say whose it is, and somebody declined {declined} of its events:"
                " name yourself with --owner ADDRESS"
            )
        return remarks

    def _events(self) -> list[Component]:
        return [event for file in self._files for event in file.walk("VEVENT")]


def _years(files: list[Component]) -> set[int]:
    now = datetime.now(UTC).year
    years = {now}
    for file in files:
        for event in file.walk("VEVENT"):
            text = event.value("DTSTART")[:4]
            if text.isascii() and text.isdigit() and 1950 < int(text) <= now + 2:
                years.add(int(text))
    return {max(min(years), max(years) - _RECENT), max(years)}


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise LoadError(f"{name} must be a date (YYYY-MM-DD), not {text!r}") from None
