"""One VEVENT as the Graph-shaped JSON that mailboxes load."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from icalendar import Component

from .calendar_zones import FileZone, FileZones, utc
from .event_fields import MAX_TEXT, NEVER

type Json = dict[str, Any]
type Note = Callable[[Component, str], None]

_SENSITIVITY = {"PUBLIC": "normal", "PRIVATE": "private", "CONFIDENTIAL": "confidential"}
_BUSY = {
    "FREE": "free",
    "TENTATIVE": "tentative",
    "BUSY": "busy",
    "OOF": "oof",
    "WORKINGELSEWHERE": "workingElsewhere",
}
_RESPONSES = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentativelyAccepted",
    "NEEDS-ACTION": "notResponded",
}
_ROLES = {"OPT-PARTICIPANT": "optional", "NON-PARTICIPANT": "resource"}
#: Properties that are read; what else an event has is counted as ignored.
READ = frozenset(
    {
        *(
            "UID",
            "DTSTART",
            "DTEND",
            "DURATION",
            "SUMMARY",
            "DESCRIPTION",
            "X-ALT-DESC",
            "LOCATION",
            "CATEGORIES",
        ),
        *(
            "CLASS",
            "TRANSP",
            "STATUS",
            "PRIORITY",
            "ORGANIZER",
            "ATTENDEE",
            "ATTACH",
            "CREATED",
            "LAST-MODIFIED",
        ),
        *("RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "DTSTAMP", "SEQUENCE", "X-MICROSOFT-CDO-BUSYSTATUS"),
        *("X-MICROSOFT-CDO-IMPORTANCE", "X-MICROSOFT-CDO-ALLDAYEVENT", "X-MICROSOFT-CDO-INTENDEDSTATUS"),
    }
)


class UnreadableEventError(ValueError):
    """An event that cannot be loaded; the message says why."""


@dataclass(frozen=True, slots=True)
class Times:
    """Wall-clock start and end of an event in one Graph zone each; ``file_zone`` is the start's."""

    start: datetime
    end: datetime
    file_zone: FileZone
    end_zone: FileZone
    all_day: bool

    @property
    def instant(self) -> datetime:
        """The UTC instant of the start; all-day: midnight UTC of its date."""
        return self.start.replace(tzinfo=UTC) if self.all_day else self.file_zone.instant(self.start)


class EventReader:
    """Reads VEVENTs of one file for one owner; what cannot be represented goes to ``note``."""

    def __init__(self, zones: FileZones, owner: str, note: Note) -> None:
        self._zones = zones
        self._owner = owner.casefold()
        self._note = note

    def times(self, event: Component) -> Times:
        """Start and end; raises ``UnreadableEventError``."""
        start_value = self._date(event, "DTSTART")
        if start_value is None:
            raise UnreadableEventError("it has no start")
        start, zone = self.wall(event, tzid_of(event.get("DTSTART")), start_value)
        all_day = not isinstance(start_value, datetime)
        end, end_zone = self._end(event, start, zone, all_day=all_day)
        if all_day or self._is_outlook_all_day(event, start, end):
            all_day = True
            zone = zone if zone.zone else self._zones.default
            end_zone = zone
            end = max(end, start + timedelta(days=1))
        times = Times(start, end, zone, end_zone, all_day)
        if end_zone.instant(end) < zone.instant(start):
            raise UnreadableEventError("it ends before it starts")
        return times

    def wall(self, event: Component, tzid: str, value: date) -> tuple[datetime, FileZone]:
        """A value as wall-clock time, and its zone; an unknown zone is noted and read as the file's."""
        if not isinstance(value, datetime):
            return datetime.combine(value, time.min), self._zones.default
        bare = value.replace(tzinfo=None, fold=0)
        if not tzid:
            return bare, self._zones.default if value.tzinfo is None else utc()
        zone = self._zones.find(tzid)
        if zone is None:
            self._note(event, f"unknown time zone {tzid!r}, read as {self._zones.default.name}")
        return bare, zone or self._zones.default

    def fields(self, event: Component) -> Json:
        """Everything except times and recurrence."""
        result: Json = {
            "subject": self._short(event, "SUMMARY"),
            "body": _body(event),
            "categories": self._categories(event),
            "sensitivity": _SENSITIVITY.get(_text(event, "CLASS").upper() or "PUBLIC", "private"),
            "showAs": _show_as(event),
            "importance": _importance(event),
            "iCalUId": _text(event, "UID") or None,
            "attachments": len(_many(event, "ATTACH")),
            "isCancelled": _text(event, "STATUS").upper() == "CANCELLED",
            **_reminder(event),
        }
        location = self._short(event, "LOCATION")
        if location:
            result["location"] = {"displayName": location}
        for name, member in (("CREATED", "createdDateTime"), ("LAST-MODIFIED", "lastModifiedDateTime")):
            stamp = self._date(event, name)
            if isinstance(stamp, datetime):
                moment = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).astimezone(UTC)
                result[member] = f"{moment:%Y-%m-%dT%H:%M:%S}.0000000Z"
        self._people(event, result)
        return result

    def _people(self, event: Component, result: Json) -> None:
        attendees = []
        for person in _many(event, "ATTENDEE"):
            address = _address(person)
            if address is None:
                self._note(event, f"attendee {person} has no e-mail address")
                continue
            response = _RESPONSES.get(str(person.params.get("PARTSTAT", "NEEDS-ACTION")).upper(), "none")
            attendees.append(
                {
                    "type": _ROLES.get(str(person.params.get("ROLE", "")).upper(), "required"),
                    "status": {"response": "none" if response == "notResponded" else response, "time": NEVER},
                    "emailAddress": {
                        "name": str(person.params.get("CN", address))[:MAX_TEXT],
                        "address": address,
                    },
                }
            )
            if address.casefold() == self._owner:
                result["responseStatus"] = {"response": response, "time": NEVER}
        result["attendees"] = attendees
        organizer = event.get("ORGANIZER")
        if organizer is None:
            return
        address = _address(organizer)
        if address is None:
            self._note(event, f"organizer {organizer} has no e-mail address")
        else:
            name = str(organizer.params.get("CN", address))[:MAX_TEXT]
            result["organizer"] = {"emailAddress": {"name": name, "address": address}}

    def _end(
        self, event: Component, start: datetime, zone: FileZone, *, all_day: bool
    ) -> tuple[datetime, FileZone]:
        end_value = self._date(event, "DTEND")
        if end_value is not None:
            if all_day == isinstance(end_value, datetime):
                raise UnreadableEventError("start and end are not both dates or both times")
            return self.wall(event, tzid_of(event.get("DTEND")), end_value)
        duration = event.get("DURATION")
        if duration is not None and isinstance(getattr(duration, "dt", None), timedelta):
            return _plus(start, zone, duration.dt)
        return (start + timedelta(days=1) if all_day else start), zone

    def _date(self, event: Component, name: str) -> date | None:
        value = event.get(name)
        if isinstance(value, list):
            value = value[0]
        if value is None:
            return None
        try:
            found = value.dt
        except Exception as error:
            raise UnreadableEventError(f"{name} cannot be read ({error})") from None
        if not isinstance(found, date):
            raise UnreadableEventError(f"{name} is not a time")
        return found

    def _is_outlook_all_day(self, event: Component, start: datetime, end: datetime) -> bool:
        flagged = _text(event, "X-MICROSOFT-CDO-ALLDAYEVENT").upper() == "TRUE"
        return flagged and start.time() == time.min and end.time() == time.min and end > start

    def _short(self, event: Component, name: str) -> str:
        text = _text(event, name).replace("\r\n", " ").replace("\n", " ")
        if len(text) > MAX_TEXT:
            self._note(event, f"{name} is longer than {MAX_TEXT} characters, the rest is left out")
        return text[:MAX_TEXT]

    def _categories(self, event: Component) -> list[str]:
        found = []
        for entry in _many(event, "CATEGORIES"):
            for category in getattr(entry, "cats", [entry]):
                text = str(category).strip()
                if len(text) > MAX_TEXT:
                    self._note(
                        event, f"a category is longer than {MAX_TEXT} characters, the rest is left out"
                    )
                if text:
                    found.append(text[:MAX_TEXT])
        return list(dict.fromkeys(found))


def tzid_of(value: Any) -> str:
    """The TZID of a property's value, empty if it has none."""
    first = value[0] if isinstance(value, list) and value else value
    return str(getattr(first, "params", {}).get("TZID", ""))


def time_members(times: Times) -> Json:
    """Graph's start, end and isAllDay, and the zones' original names."""
    result: Json = {
        "start": {"dateTime": _told(times.start, times.file_zone), "timeZone": times.file_zone.name},
        "end": {"dateTime": _told(times.end, times.end_zone), "timeZone": times.end_zone.name},
        "isAllDay": times.all_day,
    }
    if times.file_zone.original != times.file_zone.name or times.end_zone.original != times.end_zone.name:
        result["originalStartTimeZone"] = times.file_zone.original
        result["originalEndTimeZone"] = times.end_zone.original
    return result


def _told(wall: datetime, zone: FileZone) -> str:
    told = wall if zone.zone is not None else zone.instant(wall).replace(tzinfo=None)
    return told.isoformat()


def _plus(start: datetime, zone: FileZone, length: timedelta) -> tuple[datetime, FileZone]:
    """RFC 5545: days of a duration are nominal, hours exact."""
    days, rest = timedelta(days=length.days), length - timedelta(days=length.days)
    moved = start + days
    return zone.told(zone.instant(moved) + rest) if rest else (moved, zone)


def _many(event: Component, name: str) -> list[Any]:
    value = event.get(name)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(event: Component, name: str) -> str:
    values = _many(event, name)
    return str(values[0]).strip() if values else ""


def _address(person: Any) -> str | None:
    text = str(person).strip()
    address = text[7:] if text.lower().startswith("mailto:") else text
    return address if "@" in address.strip("@") and " " not in address and ":" not in address else None


def _body(event: Component) -> Json:
    for value in _many(event, "X-ALT-DESC"):
        if str(getattr(value, "params", {}).get("FMTTYPE", "")).lower() == "text/html":
            return {"contentType": "html", "content": str(value)}
    return {"contentType": "text", "content": _text(event, "DESCRIPTION")}


def _show_as(event: Component) -> str:
    busy = _BUSY.get(_text(event, "X-MICROSOFT-CDO-BUSYSTATUS").upper())
    if busy is not None:
        return busy
    if _text(event, "TRANSP").upper() == "TRANSPARENT":
        return "free"
    return "tentative" if _text(event, "STATUS").upper() == "TENTATIVE" else "busy"


def _importance(event: Component) -> str:
    outlook = {"0": "low", "1": "normal", "2": "high"}.get(_text(event, "X-MICROSOFT-CDO-IMPORTANCE"))
    if outlook is not None:
        return outlook
    priority = _text(event, "PRIORITY")
    if not priority.isdecimal() or int(priority) in (0, 5):
        return "normal"
    return "high" if int(priority) < 5 else "low"


def _reminder(event: Component) -> Json:
    for alarm in event.walk("VALARM"):
        trigger = getattr(alarm.get("TRIGGER"), "dt", None)
        if isinstance(trigger, timedelta) and trigger <= timedelta():
            return {"isReminderOn": True, "reminderMinutesBeforeStart": int(-trigger.total_seconds() // 60)}
    return {"isReminderOn": False}
