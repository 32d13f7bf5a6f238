"""Graph's JSON of an event → ``SourceEvent``, without the SDK's models (graph.md section 2)."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from shared.domain.source_event import EventType, Person, SourceEvent
from shared.domain.unread import NO_ID, NO_TIMES, UNDECODABLE, Unread, UnreadEvents
from shared.domain.zones import find_zone, first_instant

#: The one list of what is read of a source event (graph.md, calendarView).
EVENT_FIELDS = (
    "id",
    "type",
    "iCalUId",
    "changeKey",
    "subject",
    "body",
    "start",
    "end",
    "originalStartTimeZone",
    "originalEndTimeZone",
    "isAllDay",
    "seriesMasterId",
    "originalStart",
    "location",
    "categories",
    "showAs",
    "importance",
    "sensitivity",
    "isCancelled",
    "responseStatus",
    "hasAttachments",
    "organizer",
    "attendees",
)
_TYPES = {kind.value: kind for kind in EventType}
_NOTHING: dict[str, Any] = {}


class UndecodableEventError(ValueError):
    """An event without what every event has; the message names its id and the trouble, nothing private.

    ``unread`` says which event it is, as far as that can be told.
    """

    def __init__(self, message: str, unread: Unread) -> None:
        super().__init__(message)
        self.unread = unread


def decode_events(items: Iterable[dict[str, Any]]) -> list[SourceEvent]:
    """All events of a page, in its order; raises UndecodableEventError."""
    return [decode_event(item) for item in items]


def decode_readable(items: Iterable[dict[str, Any]], unread: UnreadEvents) -> list[SourceEvent]:
    """The events of a page that can be understood, in its order; the others are noted (domain.md 2.12)."""
    events = []
    for item in items:
        try:
            events.append(decode_event(item))
        except UndecodableEventError as error:
            unread.add(error.unread)
    return events


def decode_event(item: dict[str, Any]) -> SourceEvent:
    """One event; optional fields may be absent. Raises UndecodableEventError without id, start or end."""
    try:
        return _decode(item)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        unread = unread_item(item)
        named = unread.event_id or "?"
        raise UndecodableEventError(
            f"event {named}: {unread.code}, {type(error).__name__}", unread
        ) from error


def unread_item(item: Any, code: str | None = None) -> Unread:
    """What can be told of an item that cannot be read in full; ``code`` by default by what is missing."""
    item = item if isinstance(item, dict) else {}
    event_id = item.get("id")
    event_id = event_id if isinstance(event_id, str) and event_id else None
    start, end = _moment_or_none(item.get("start")), _moment_or_none(item.get("end"))
    if code is None:
        code = NO_ID if event_id is None else NO_TIMES if start is None or end is None else UNDECODABLE
    if event_id is None and (start is None or end is None or end <= start):
        # Nobody knows what it is or when: it may be anywhere in what was read.
        start = end = None
    return Unread(code, event_id, start, end, item.get("isAllDay") is True)


def _moment_or_none(value: Any) -> datetime | None:
    try:
        return moment(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _decode(item: dict[str, Any]) -> SourceEvent:
    get = item.get
    event_id = item["id"]
    if not isinstance(event_id, str) or not event_id:
        raise ValueError("no id")
    kind = _TYPES[get("type") or "singleInstance"]
    start = moment(item["start"])
    original = get("originalStart")
    original_start = datetime.fromisoformat(original).astimezone(UTC) if original else None
    if original_start is None and kind is EventType.OCCURRENCE:
        # An occurrence that is no exception lies in its slot.
        original_start = start
    body = get("body") or _NOTHING
    organizer = get("organizer")
    attendees = get("attendees")
    return SourceEvent(
        id=event_id,
        type=kind,
        ical_uid=get("iCalUId") or "",
        change_key=get("changeKey") or "",
        subject=get("subject") or "",
        body=body.get("content") or "",
        body_type=body.get("contentType") or "html",
        start=start,
        end=moment(item["end"]),
        start_zone=get("originalStartTimeZone") or "UTC",
        end_zone=get("originalEndTimeZone") or "UTC",
        is_all_day=get("isAllDay") is True,
        series_master_id=get("seriesMasterId"),
        original_start=original_start if kind is not EventType.SINGLE_INSTANCE else None,
        location=(get("location") or _NOTHING).get("displayName") or "",
        categories=tuple(get("categories") or ()),
        show_as=get("showAs") or "busy",
        importance=get("importance") or "normal",
        sensitivity=get("sensitivity") or "normal",
        is_cancelled=get("isCancelled") is True,
        is_declined=(get("responseStatus") or _NOTHING).get("response") == "declined",
        has_attachments=get("hasAttachments") is True,
        organizer=_organizer(organizer) if organizer else None,
        attendees=tuple([_attendee(attendee) for attendee in attendees]) if attendees else (),
        original_date=_told_date(get("occurrenceId")),
    )


def moment(value: dict[str, str]) -> datetime:
    """A ``dateTimeTimeZone`` as an instant in UTC; what we ask for comes in UTC, other zones are converted.

    Digits beyond microseconds are dropped. Raises KeyError or ValueError for what is no time.
    """
    wall = datetime.fromisoformat(value["dateTime"])
    zone_name = value.get("timeZone") or "UTC"
    if zone_name == "UTC" and wall.tzinfo is None:
        return wall.replace(tzinfo=UTC)
    if wall.tzinfo is not None:
        return wall.astimezone(UTC)
    zone = find_zone(zone_name)
    if zone is None:
        raise ValueError(f"unknown zone {zone_name}")
    return first_instant(wall, zone)


def _told_date(occurrence_id: str | None) -> date | None:
    """``OID.{series}.{date}``: the date in the series' zone, as ``cancelledOccurrences`` writes it, too."""
    if not occurrence_id:
        return None
    try:
        return date.fromisoformat(occurrence_id.rpartition(".")[2])
    except ValueError:
        return None


def _organizer(value: dict[str, Any]) -> Person:
    mail = value.get("emailAddress") or _NOTHING
    return Person(mail.get("name") or "", mail.get("address") or "", "organizer", "organizer")


def _attendee(value: dict[str, Any]) -> Person:
    mail = value.get("emailAddress") or _NOTHING
    return Person(
        mail.get("name") or "",
        mail.get("address") or "",
        value.get("type") or "required",
        (value.get("status") or _NOTHING).get("response") or "none",
    )
