"""One VEVENT as the Graph-shaped JSON that mailboxes load."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from infra.local.graph_simulator.graph.event_fields import MAX_TEXT
from infra.local.graph_simulator.loading.notes import Note
from infra.local.graph_simulator.loading.people import Owner, people
from infra.local.graph_simulator.loading.text import Component, Property
from infra.local.graph_simulator.loading.values import (
    Length,
    Moment,
    length_of,
    moment_of,
    stamp_of,
    text_of,
    texts_of,
)
from infra.local.graph_simulator.loading.zones import UTC_FILE_ZONE, FileZone, FileZones

type Json = dict[str, Any]

_DAY = timedelta(days=1)
_SENSITIVITY = {"PUBLIC": "normal", "PRIVATE": "private", "CONFIDENTIAL": "confidential"}
_BUSY = {
    "FREE": "free",
    "TENTATIVE": "tentative",
    "BUSY": "busy",
    "OOF": "oof",
    "OUTOFOFFICE": "oof",
    "WORKINGELSEWHERE": "workingElsewhere",
}
#: Properties that are read; what else an event has is counted as ignored.
READ = frozenset(
    {
        *("UID", "DTSTART", "DTEND", "DURATION", "SUMMARY", "DESCRIPTION", "X-ALT-DESC", "LOCATION"),
        *("CATEGORIES", "CLASS", "TRANSP", "STATUS", "PRIORITY", "ORGANIZER", "ATTENDEE", "ATTACH"),
        *("CREATED", "LAST-MODIFIED", "DTSTAMP", "SEQUENCE", "RRULE", "EXRULE", "RDATE", "EXDATE"),
        *("RECURRENCE-ID", "X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-IMPORTANCE"),
        *("X-MICROSOFT-CDO-ALLDAYEVENT", "X-MICROSOFT-CDO-INTENDEDSTATUS"),
    }
)


class UnreadableEventError(ValueError):
    """An event that cannot be loaded; the message says why."""


@dataclass(frozen=True, slots=True)
class Times:
    """Wall-clock start and end of an event in one Graph zone each; ``file_zone`` is the start's.

    ``length`` is the event's DURATION, ``None`` if its end is given.
    """

    start: datetime
    end: datetime
    file_zone: FileZone
    end_zone: FileZone
    all_day: bool
    length: Length | None = None

    @property
    def instant(self) -> datetime:
        """The UTC instant of the start; all-day: midnight UTC of its date."""
        return self.start.replace(tzinfo=UTC) if self.all_day else self.file_zone.instant(self.start)

    @property
    def end_instant(self) -> datetime:
        """The UTC instant of the end; all-day: midnight UTC of the date after it."""
        return self.end.replace(tzinfo=UTC) if self.all_day else self.end_zone.instant(self.end)

    def at(self, start: datetime) -> "Times":
        """The same event at another wall-clock start.

        Its exact length stays, or its nominal one if it has a DURATION (RFC 5545 3.8.5.3).
        """
        if self.all_day:
            return replace(self, start=start, end=start + (self.end - self.start))
        if self.length is not None:
            end, end_zone = _plus(start, self.file_zone, self.length)
            return replace(self, start=start, end=end, end_zone=end_zone)
        instant = self.file_zone.instant(start) + (self.end_instant - self.instant)
        return self.until(start, instant)

    def until(self, start: datetime, end: datetime) -> "Times":
        """The same event from a wall-clock start to an instant."""
        wall, zone = _told(end, self.end_zone)
        return replace(self, start=start, end=wall, end_zone=zone, length=None)


def _told(instant: datetime, zone: FileZone) -> tuple[datetime, FileZone]:
    """An instant as wall-clock time of a zone, or in UTC where its clock shows that time twice."""
    wall = zone.wall(instant)
    if zone.instant(wall) == instant:
        return wall, zone
    return instant.astimezone(UTC).replace(tzinfo=None), replace(UTC_FILE_ZONE, original=zone.original)


def _plus(start: datetime, zone: FileZone, length: Length) -> tuple[datetime, FileZone]:
    """RFC 5545 3.3.6: days of a duration are nominal, hours exact."""
    moved = start + length.days
    return _told(zone.instant(moved) + length.rest, zone) if length.rest else (moved, zone)


class EventReader:
    """Reads VEVENTs of one calendar for one owner; what is read otherwise than written goes to ``note``."""

    def __init__(self, zones: FileZones, owner: Owner, note: Note, *, cancelled: bool = False) -> None:
        """``cancelled``: the calendar is a cancellation (METHOD:CANCEL, RFC 5546 3.2.5)."""
        self.zones = zones
        self.note = note
        self._owner = owner
        self._cancelled = cancelled

    def times(self, event: Component) -> Times:
        """Start and end; raises ``UnreadableEventError``."""
        begin = self.moment(event, "DTSTART")
        if begin is None:
            raise UnreadableEventError("it has no start")
        start, zone = self.wall(begin)
        all_day = begin.is_date
        end, end_zone, length = self._end(event, begin, start, zone)
        if all_day or self._is_outlook_all_day(event, start, end):
            all_day, length = True, None
            zone = zone if zone.zone else self.zones.default
            end_zone = zone
            end = max(datetime.combine(end.date(), time.min), start + _DAY)
        times = Times(start, end, zone, end_zone, all_day, length)
        try:
            before = times.end_instant < times.instant
        except OverflowError:
            raise UnreadableEventError("it lies outside the years that a calendar holds") from None
        if before:
            raise UnreadableEventError("it ends before it starts")
        return times

    def moment(self, event: Component, name: str) -> Moment | None:
        """The date or time of a property; raises ``UnreadableEventError``."""
        found = event.first(name)
        if found is None:
            return None
        try:
            return moment_of(found.value, found.params)
        except ValueError as error:
            raise UnreadableEventError(f"{name} cannot be read: {error}") from None

    def wall(self, moment: Moment) -> tuple[datetime, FileZone]:
        """A moment as wall-clock time, and its zone; an unknown zone is counted and read as the default."""
        if moment.is_date:
            return moment.wall, self.zones.default
        if moment.utc:
            return moment.wall, UTC_FILE_ZONE
        return moment.wall, self.zones.find(moment.tzid) if moment.tzid else self.zones.default

    def is_cancelled(self, event: Component) -> bool:
        """Whether the event does not take place."""
        return self._cancelled or event.value("STATUS").upper() in ("CANCELLED", "CANCELED")

    def fields(self, event: Component) -> Json:
        """Everything except times and recurrence."""
        result: Json = {
            "subject": self._short(event, "SUMMARY"),
            "body": _body(event),
            "categories": self._categories(event),
            "sensitivity": _SENSITIVITY.get(event.value("CLASS").upper() or "PUBLIC", "private"),
            "showAs": _show_as(event),
            "importance": _importance(event),
            "iCalUId": text_of(event.value("UID")) or None,
            "attachments": len(event.all("ATTACH")),
            "isCancelled": self.is_cancelled(event),
            **_reminder(event),
        }
        location = self._short(event, "LOCATION")
        if location:
            result["location"] = {"displayName": location}
        for name, member in (("CREATED", "createdDateTime"), ("LAST-MODIFIED", "lastModifiedDateTime")):
            stamp = stamp_of(event.first(name))
            if stamp is not None:
                result[member] = f"{stamp:%Y-%m-%dT%H:%M:%S}.0000000Z"
        result.update(people(event, self._owner, self.note))
        return result

    def _end(
        self, event: Component, begin: Moment, start: datetime, zone: FileZone
    ) -> tuple[datetime, FileZone, Length | None]:
        finish = self.moment(event, "DTEND")
        if finish is not None:
            if begin.is_date != finish.is_date:
                kinds = ("a date", "a time") if begin.is_date else ("a time", "a date")
                raise UnreadableEventError(f"its start is {kinds[0]} and its end is {kinds[1]}")
            return *self.wall(finish), None
        duration = event.first("DURATION")
        if duration is None or not duration.value.strip():
            return (start + _DAY if begin.is_date else start), zone, None
        try:
            length = length_of(duration.value)
            return *_plus(start, zone, length), length
        except (ValueError, OverflowError) as error:
            raise UnreadableEventError(f"DURATION cannot be read: {error}") from None

    def _is_outlook_all_day(self, event: Component, start: datetime, end: datetime) -> bool:
        flagged = event.value("X-MICROSOFT-CDO-ALLDAYEVENT").upper() == "TRUE"
        return flagged and start.time() == time.min and end.time() == time.min and end > start

    def _short(self, event: Component, name: str) -> str:
        text = text_of(event.value(name)).replace("\r\n", " ").replace("\n", " ")
        if len(text) > MAX_TEXT:
            self.note(event, f"{name} is longer than {MAX_TEXT} characters, the rest is left out")
        return text[:MAX_TEXT]

    def _categories(self, event: Component) -> list[str]:
        found = []
        for entry in event.all("CATEGORIES"):
            for category in texts_of(entry.value):
                text = category.strip()
                if len(text) > MAX_TEXT:
                    self.note(event, f"a category is longer than {MAX_TEXT} characters, the rest is left out")
                if text:
                    found.append(text[:MAX_TEXT])
        return list(dict.fromkeys(found))


def time_members(times: Times) -> Json:
    """Graph's start, end and isAllDay, and the zones' original names."""
    result: Json = {
        "start": {"dateTime": _wall_text(times.start, times.file_zone), "timeZone": times.file_zone.name},
        "end": {"dateTime": _wall_text(times.end, times.end_zone), "timeZone": times.end_zone.name},
        "isAllDay": times.all_day,
    }
    if times.file_zone.original != times.file_zone.name or times.end_zone.original != times.end_zone.name:
        result["originalStartTimeZone"] = times.file_zone.original
        result["originalEndTimeZone"] = times.end_zone.original
    return result


def _wall_text(wall: datetime, zone: FileZone) -> str:
    return (wall if zone.zone is not None else zone.instant(wall).replace(tzinfo=None)).isoformat()


def _body(event: Component) -> Json:
    for html in event.all("X-ALT-DESC"):
        if html.params.get("FMTTYPE", "").lower() == "text/html" and html.value.strip():
            return {"contentType": "html", "content": text_of(html.value)}
    described: Property | None = event.first("DESCRIPTION")
    return {"contentType": "text", "content": text_of(described.value) if described is not None else ""}


def _show_as(event: Component) -> str:
    busy = _BUSY.get(event.value("X-MICROSOFT-CDO-BUSYSTATUS").upper())
    if busy is not None:
        return busy
    if event.value("TRANSP").upper() == "TRANSPARENT":
        return "free"
    return "tentative" if event.value("STATUS").upper() == "TENTATIVE" else "busy"


def _importance(event: Component) -> str:
    outlook = {"0": "low", "1": "normal", "2": "high"}.get(event.value("X-MICROSOFT-CDO-IMPORTANCE"))
    if outlook is not None:
        return outlook
    priority = event.value("PRIORITY")
    if not (priority.isascii() and priority.isdigit()) or int(priority[:4]) in (0, 5):
        return "normal"
    return "high" if int(priority[:4]) < 5 else "low"


def _reminder(event: Component) -> Json:
    for alarm in event.walk("VALARM"):
        try:
            before = -length_of(alarm.value("TRIGGER")).total
        except ValueError:
            continue
        if timedelta() <= before < timedelta(days=365):
            return {"isReminderOn": True, "reminderMinutesBeforeStart": int(before.total_seconds() // 60)}
    return {"isReminderOn": False}
