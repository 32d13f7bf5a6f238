"""What the calendars of the simulator say about an archive, without asking our database.

Source keys and the extended properties of the copies are those of domain.md 2.3 and 2.6.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from infra.local.archive_copies import (
    Copy,
    NamedEvent,
    archive_key_of,
    copy_of,
    doubled,
    source_key_forms,
)
from infra.local.local_copies import attributed, read_copies
from infra.local.stack import Stack
from infra.local.told_reasons import Reason
from infra.local.without_copy import Surroundings, missing

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open interval ``[start, end)`` in a configuration's zone."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    def owns(self, event: Json) -> bool:
        """Whether the event starts here; all-day events by their local date (domain.md 2.2)."""
        return self.start <= starts_at(event, self.zone) < self.end


@dataclass(frozen=True, slots=True)
class Comparison:
    """A source calendar against its archive calendar, the latter as a whole."""

    #: The source events of the runs' windows, as the simulator gives them.
    events: tuple[Json, ...] = ()
    #: Events with more than one copy, written by anyone (domain.md 2.19).
    doubled: tuple[NamedEvent, ...] = ()
    #: Events of the archive calendar that nobody's run wrote.
    unknown: int = 0
    #: Source events of what is archived, by their keys; those without a copy apart.
    covered: tuple[Json, ...] = ()
    uncovered: tuple[Json, ...] = ()
    #: All of the source calendar and of the archive calendar.
    source: tuple[Json, ...] = ()
    archive: tuple[Json, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Calendars:
    """The events of a source calendar in the raw form, and those of its archive calendar in both forms."""

    source: list[Json]
    archive: list[Json]
    copies: list[Copy]


async def read_calendars(stack: Stack, configuration: Json, archived: Window) -> Calendars:
    """Read both calendars of a configuration; ``archived`` is what should be in the archive by now."""
    source = await _calendar(stack, configuration["source"])
    if not configuration["archive"].startswith("local://"):
        archive = await _calendar(stack, configuration["archive"])
        return Calendars(source, archive, [copy_of(event) for event in archive])
    found = await read_copies(stack, configuration, archived.start, archived.end)
    expected = [event for event in source if archived.owns(event)]
    copies = attributed(found, expected)
    archive = [
        {"subject": copy.subject, "start": {"dateTime": copy.start}, "end": {"dateTime": copy.end}}
        for copy in copies
    ]
    return Calendars(source, archive, copies)


def compare(
    configuration: Json, calendars: Calendars, windows: Collection[Window], archived: Window
) -> Comparison:
    """Compare the calendars of a configuration.

    ``windows`` are those of the runs just done. A copy belongs to the source event whose id it names, or
    whose ``ArchiveKey`` it carries. While it waits for the event's new id, it belongs to the event with its
    ``iCalUId`` and original date.
    """
    held = _Held(calendars.copies, configuration["id"], archived.zone)
    expected = [event for event in calendars.source if archived.owns(event)]
    covered = [held.covers(event) for event in expected]
    return Comparison(
        events=tuple(event for event in calendars.source if any(window.owns(event) for window in windows)),
        doubled=doubled(calendars.copies, archived.zone),
        unknown=sum(not copy.is_ours for copy in calendars.copies),
        covered=tuple(event for event, has in zip(expected, covered, strict=True) if has),
        uncovered=tuple(event for event, has in zip(expected, covered, strict=True) if not has),
        source=tuple(calendars.source),
        archive=tuple(calendars.archive),
    )


def missing_events(
    comparison: Comparison, reasons: Mapping[str, Reason], configuration: Json, zone: ZoneInfo
) -> tuple[NamedEvent, ...]:
    """The source events without a copy for which no reason is told that fits them, by start."""
    known: dict[str, Json] = {}
    for event in comparison.source:
        known |= dict.fromkeys(source_key_forms(event, zone), event)
    around = Surroundings(known, comparison.source, comparison.archive, reasons)
    uncovered = {_told_key(event, reasons, zone): event for event in comparison.uncovered}
    lost = missing(uncovered, comparison.covered, around, configuration)
    named = [
        NamedEvent(str(event["subject"]), event["start"]["dateTime"][:19], event["end"]["dateTime"][:19], 0)
        for event in lost
    ]
    return tuple(sorted(named, key=lambda event: (event.start, event.subject)))


def starts_at(event: Json, zone: ZoneInfo) -> datetime:
    """Start of an event, UTC; of an all-day event the start of its date in ``zone``."""
    start = utc(event["start"])
    if event["isAllDay"]:
        return datetime.combine(start.date(), time.min, zone).astimezone(UTC)
    return start


def utc(moment: Json) -> datetime:
    """A ``dateTimeTimeZone`` of the raw form, which is always UTC."""
    return datetime.fromisoformat(moment["dateTime"][:26]).replace(tzinfo=UTC)


class _Held:
    """What an archive calendar holds, by everything that tells whose copy it is."""

    def __init__(self, copies: Iterable[Copy], configuration_id: str, zone: ZoneInfo) -> None:
        self._zone = zone
        self._configuration = configuration_id
        self._keys: set[str] = set()
        self._sources: set[str] = set()
        self._meetings: set[tuple[str, date | None]] = set()
        for copy in copies:
            self._keys.add(copy.archive_key)
            self._sources.add(copy.source)
            if copy.configuration == configuration_id and copy.ical_uid:
                self._meetings.add((copy.ical_uid, copy.original_date(zone)))

    def covers(self, event: Json) -> bool:
        if event["id"] in self._sources:
            return True
        forms = source_key_forms(event, self._zone)
        if any(archive_key_of(self._configuration, form) in self._keys for form in forms):
            return True
        original = event.get("originalStart")
        begins = datetime.fromisoformat(str(original)) if original else utc(event["start"])
        return (event.get("iCalUId"), begins.astimezone(self._zone).date()) in self._meetings


def _told_key(event: Json, reasons: Mapping[str, Reason], zone: ZoneInfo) -> str:
    """The key by which our API calls the event, else the newest form."""
    forms = source_key_forms(event, zone)
    return next((form for form in forms if form in reasons), forms[0])


async def _calendar(stack: Stack, reference: str) -> list[Json]:
    address, _, path = reference.removeprefix("msgraph://").partition("/")
    address = unquote(address)
    name = unquote(path.removeprefix("calendars/")) if path.startswith("calendars/") else None
    if name is None:
        mailboxes = (await stack.simulator("GET", "mailboxes"))["value"]
        mailbox = next(entry for entry in mailboxes if entry["address"].casefold() == address.casefold())
        name = next(entry["name"] for entry in mailbox["calendars"] if entry["is_default"])
    answer = await stack.simulator("GET", f"mailboxes/{address}/events", calendar=name)
    return list(answer["value"])
