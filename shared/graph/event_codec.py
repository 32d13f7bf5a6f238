"""Graph's events as typed structures, converted to ``SourceEvent`` (graph.md section 2).

A page is decoded at once. If one item has an unexpected shape, each item is decoded alone, so that only that
one is unread (domain.md 2.12).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from shared.domain.copies.copy_body import wall_instant
from shared.domain.events.source_event import EventType, Participant, SourceEvent
from shared.domain.runs.unread import NO_ID, NO_TIMES, UNDECODABLE, Unread
from shared.graph.items import Collection, EventItem, GraphPage, MailItem, RecipientItem, TimeItem, decoded

#: The only list of the fields that are read from a source event (graph.md, calendarView).
EVENT_FIELDS = (
    *("id", "type", "iCalUId", "changeKey", "subject", "body", "start", "end"),
    *("originalStartTimeZone", "originalEndTimeZone", "isAllDay", "seriesMasterId", "originalStart"),
    *("location", "categories", "showAs", "importance", "sensitivity", "isCancelled"),
    *("responseStatus", "hasAttachments", "organizer", "attendees"),
    *("createdDateTime", "lastModifiedDateTime"),
)
_UNDECODABLE_ERRORS = (msgspec.ValidationError, ValueError, OverflowError)
#: The end of a time in Graph's form. With a ``Z`` after it, it parses as an aware instant at half the cost.
_UTC_LENGTH = len("2026-02-01T08:00:00.0000000")
_EVENT_PAGE = msgspec.json.Decoder(Collection[EventItem])
_ANY_PAGE = msgspec.json.Decoder(Collection[Any])
_ANYTHING = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class EventCodec[T]:
    """Reads events as ``T``. What cannot be understood becomes an ``Unread``."""

    build: Callable[[EventItem], T]

    def page(self, raw: bytes) -> GraphPage[T | Unread]:
        """A page of Graph in its order. Raises GraphCallError (``unreadable_answer``) for anything else."""
        try:
            page = _EVENT_PAGE.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            anything = decoded(_ANY_PAGE, raw)
            return GraphPage([self.item(each) for each in anything.value or ()], anything.next_link)
        items = page.value or ()
        try:
            return GraphPage([self.build(each) for each in items], page.next_link)
        except _UNDECODABLE_ERRORS:
            return GraphPage([self._built(each) for each in items], page.next_link)

    def one(self, raw: bytes) -> T | Unread:
        """One event. Raises GraphCallError as ``page``."""
        return self.item(decoded(_ANYTHING, raw))

    def item(self, item: object) -> T | Unread:
        """One event from its parsed JSON."""
        try:
            return self.build(msgspec.convert(item, EventItem))
        except _UNDECODABLE_ERRORS:
            return unread_item(item)

    def _built(self, item: EventItem) -> T | Unread:
        try:
            return self.build(item)
        except _UNDECODABLE_ERRORS:
            return unread_item(msgspec.to_builtins(item))


def unread_item(item: object) -> Unread:
    """What is known about an item that cannot be read in full. Its code says what is missing."""
    item = item if isinstance(item, dict) else {}
    event_id = item.get("id")
    event_id = event_id if isinstance(event_id, str) and event_id else None
    start, end = _moment_or_none(item.get("start")), _moment_or_none(item.get("end"))
    code = NO_ID if event_id is None else NO_TIMES if start is None or end is None else UNDECODABLE
    if event_id is None and (start is None or end is None or end <= start):
        # Neither its identity nor its time is known, so it may be anywhere in what was read.
        start = end = None
    return Unread(code, event_id, start, end, item.get("isAllDay") is True)


def _moment_or_none(value: object) -> datetime | None:
    try:
        return _moment(msgspec.convert(value, TimeItem))
    except _UNDECODABLE_ERRORS:
        return None


def source_event(item: EventItem) -> SourceEvent:
    """The event of an item. Raises ValueError or OverflowError for an invalid id or time."""
    if not item.id:
        raise ValueError("no id")
    kind = item.type or EventType.SINGLE_INSTANCE
    start = _moment(item.start)
    original_start = entered_at = changed_at = None
    if kind is not EventType.SINGLE_INSTANCE:
        if item.original_start:
            original_start = datetime.fromisoformat(item.original_start).astimezone(UTC)
        elif kind is EventType.OCCURRENCE:
            # An occurrence that is no exception is in its slot.
            original_start = start
        if item.last_modified_date_time:
            changed_at = datetime.fromisoformat(item.last_modified_date_time).astimezone(UTC)
    if item.created_date_time:
        entered_at = datetime.fromisoformat(item.created_date_time).astimezone(UTC)
    body, location, response = item.body, item.location, item.response_status
    organizer, attendees = item.organizer, item.attendees
    return SourceEvent(
        # By position: naming them costs ten times as much.
        item.subject or "",
        (body.content or "") if body else "",
        (body.content_type or "html") if body else "html",
        start,
        _moment(item.end),
        item.original_start_time_zone or "UTC",
        item.original_end_time_zone or "UTC",
        item.is_all_day is True,
        (location.display_name or "") if location else "",
        item.categories or (),
        item.show_as or "busy",
        item.importance or "normal",
        item.sensitivity or "normal",
        item.id,
        kind,
        item.ical_uid or "",
        item.change_key or "",
        item.series_master_id,
        original_start,
        item.is_cancelled is True,
        response is not None and response.response == "declined",
        item.has_attachments is True,
        _organizer(organizer) if organizer else None,
        tuple([_person(each) for each in attendees]) if attendees else (),
        False,
        _told_date(item.occurrence_id) if item.occurrence_id else None,
        entered_at,
        changed_at,
    )


def _moment(time: TimeItem) -> datetime:
    zone_name = time.time_zone or "UTC"
    if zone_name == "UTC" and len(time.date_time) == _UTC_LENGTH:
        return datetime.fromisoformat(f"{time.date_time}Z")
    return wall_instant(time.date_time, zone_name)


def _told_date(occurrence_id: str) -> date | None:
    """``OID.{series}.{date}``: the date in the series' zone, also in ``cancelledOccurrences``."""
    try:
        return date.fromisoformat(occurrence_id.rpartition(".")[2])
    except ValueError:
        return None


def _person(item: RecipientItem) -> Participant:
    mail, status = item.email_address or _NO_MAIL, item.status
    response = (status.response or "none") if status else "none"
    return Participant(mail.name or "", mail.address or "", item.type or "required", response)


def _organizer(item: RecipientItem) -> Participant:
    mail = item.email_address or _NO_MAIL
    return Participant(mail.name or "", mail.address or "", "organizer", "organizer")


_NO_MAIL = MailItem()


EVENTS = EventCodec(source_event)
#: Reads only the id and the times of an event. They identify an event that cannot be read whole.
LISTED: EventCodec[Unread] = EventCodec(lambda item: unread_item(msgspec.to_builtins(item)))
