"""Events as Graph's JSON, in the shape a request asks for: id form, zone, body type, properties."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.bodies import preview_of, text_of
from infra.local.graph_simulator.state.model import Calendar, Event, Item, Json, Mailbox, Occurrence
from infra.local.graph_simulator.values.ids import item_id
from infra.local.graph_simulator.values.times import Span, instant_text, moment_of, wall_text
from infra.local.graph_simulator.values.zones import UTC_ZONE

#: Every property of Graph's event resource (v1.0) that may be selected.
EVENT_PROPERTIES = frozenset(
    [
        "id",
        "createdDateTime",
        "lastModifiedDateTime",
        "changeKey",
        "categories",
        "transactionId",
        "originalStartTimeZone",
        "originalEndTimeZone",
        "iCalUId",
        "reminderMinutesBeforeStart",
        "isReminderOn",
        "hasAttachments",
        "subject",
        "bodyPreview",
        "importance",
        "sensitivity",
        "originalStart",
        "isAllDay",
        "isCancelled",
        "isOrganizer",
        "responseRequested",
        "seriesMasterId",
        "showAs",
        "type",
        "webLink",
        "onlineMeetingUrl",
        "isOnlineMeeting",
        "onlineMeetingProvider",
        "allowNewTimeProposals",
        "isDraft",
        "hideAttendees",
        "cancelledOccurrences",
        "exceptionOccurrences",
        "occurrenceId",
        "responseStatus",
        "body",
        "start",
        "end",
        "location",
        "locations",
        "recurrence",
        "attendees",
        "organizer",
        "onlineMeeting",
    ]
)
CALENDAR_PROPERTIES = frozenset(
    [
        "id",
        "name",
        "color",
        "hexColor",
        "isDefaultCalendar",
        "changeKey",
        "canShare",
        "canViewPrivateItems",
        "canEdit",
        "isRemovable",
        "isTallyingResponses",
        "allowedOnlineMeetingProviders",
        "defaultOnlineMeetingProvider",
        "owner",
    ]
)
#: Given only when selected.
_ON_REQUEST = ("cancelledOccurrences", "occurrenceId")


@dataclass(frozen=True, slots=True)
class View:
    """What a request asked for."""

    immutable: bool = False
    zone: ZoneInfo | None = None
    zone_name: str = "UTC"
    text_body: bool = False
    select: tuple[str, ...] | None = None
    extended: frozenset[str] = frozenset()
    #: Whether a series master brings its exceptions (``$expand=exceptionOccurrences``).
    exceptions: bool = False


def event_json(item: Item, view: View, settings: Settings) -> Json:
    """One event as a client sees it through ``view``."""
    base = item.rendered
    if base is None:
        base = item.rendered = _base(item)
    selected = view.select
    if selected is None:
        result = dict(base)
        wanted: tuple[str, ...] | frozenset[str] = EVENT_PROPERTIES
        for name in _ON_REQUEST:
            result.pop(name, None)
    else:
        result = {"@odata.etag": base["@odata.etag"]}
        for name in selected:
            result[name] = base.get(name)
        wanted = selected
    event = item.master
    move = None if view.immutable else event.move
    part = event.calendar.mailbox.part
    result["id"] = item.id(immutable=view.immutable)
    if item.day is not None and "seriesMasterId" in wanted:
        result["seriesMasterId"] = item_id(part, event.key, move)
    withheld = settings.original_starts
    if withheld == "absent" or (withheld == "not_of_all_day" and item.span.all_day):
        result.pop("originalStart", None)
    _name_occurrences(result, item, view, settings)
    if settings.ical_uid_per_occurrence and item.day is not None and "iCalUId" in wanted:
        result["iCalUId"] = _occurrence_uid(event.ical_uid, item.day)
    if "webLink" in wanted:
        result["webLink"] = (
            f"https://outlook.office365.com/owa/?itemid={result['id'].replace('=', '%3D')}"
            "&exvsurl=1&path=/calendar/item"
        )
    if view.zone is not None:
        _shift(result, item.span, view)
    if view.text_body and "body" in wanted:
        result["body"] = {"contentType": "text", "content": text_of(base["body"]["content"])}
    if view.extended:
        _expand(result, item, view.extended)
    return result


def _base(item: Item) -> Json:
    fields, stamp, event, span = item.fields, item.stamp, item.master, item.span
    start_zone, end_zone = event.original_zones or (span.start_zone, span.end_zone)
    result: Json = {
        "@odata.etag": stamp.etag,
        "id": "",
        "createdDateTime": stamp.created,
        "lastModifiedDateTime": stamp.modified,
        "changeKey": stamp.change_key,
        "categories": fields["categories"],
        "transactionId": event.transaction_id,
        "originalStartTimeZone": start_zone,
        "originalEndTimeZone": end_zone,
        "iCalUId": event.ical_uid,
        "hasAttachments": item.attachments > 0,
        "bodyPreview": preview_of(fields["body"]["content"]),
        "seriesMasterId": None,
        "type": item.kind,
        "webLink": "",
        "isAllDay": span.all_day,
        "recurrence": None,
        "start": {"dateTime": _utc_text(span, span.start_us), "timeZone": "UTC"},
        "end": {"dateTime": _utc_text(span, span.end_us), "timeZone": "UTC"},
    }
    result.update(fields)
    if isinstance(item, Occurrence):
        result["originalStart"] = instant_text(event.original_start(item.original_day))
    elif isinstance(item, Event) and item.recurrence is not None:
        result["recurrence"] = item.recurrence.as_json(start_zone)
    return result


def _name_occurrences(result: Json, item: Item, view: View, settings: Settings) -> None:
    """``occurrenceId`` of an occurrence and, if selected, ``cancelledOccurrences`` of a master.

    Both are ``OID.{master id}.{original date}``, the id in the form that the request asks for
    (docs/graph-series.md, Ids).
    """
    selected = view.select or ()
    master = item.master.id(immutable=view.immutable)
    wanted = view.select is None or "occurrenceId" in selected
    if item.day is not None and wanted and settings.occurrence_id_property == "given":
        result["occurrenceId"] = f"OID.{master}.{date.fromordinal(item.day)}"
    if isinstance(item, Event) and item.recurrence is not None and "cancelledOccurrences" in selected:
        days = sorted(item.cancelled)
        result["cancelledOccurrences"] = [f"OID.{master}.{date.fromordinal(day)}" for day in days]
    if view.exceptions and isinstance(item, Event) and item.recurrence is not None:
        inner = replace(view, exceptions=False)
        result["exceptionOccurrences"] = [
            event_json(item.occurrence(day), inner, settings) for day in sorted(item.overrides)
        ]


def _utc_text(span: Span, instant_us: int) -> str:
    return wall_text(moment_of(instant_us))


def _shift(result: Json, span: Span, view: View) -> None:
    """Start and end in the preferred zone; all-day events keep their midnights (graph.md, calendarView)."""
    zone = view.zone or UTC_ZONE
    for name, instant_us in (("start", span.start_us), ("end", span.end_us)):
        if name in result:
            moment = moment_of(instant_us)
            local = moment if span.all_day else moment.astimezone(zone)
            result[name] = {"dateTime": wall_text(local), "timeZone": view.zone_name}


def _occurrence_uid(uid: str, day: int) -> str:
    """An iCalUId with the date in the bytes where Exchange puts it; other uids get it appended."""
    original = date.fromordinal(day)
    stamp = f"{original.year:04X}{original.month:02X}{original.day:02X}"
    if uid.startswith("040000008200E00074C5B7101A82E008"):
        return uid[:32] + stamp + uid[40:]
    return f"{uid}_{stamp}"


def _expand(result: Json, item: Item, wanted: frozenset[str]) -> None:
    own = item.extended
    found = [{"id": name, "value": own[name]} for name in sorted(wanted) if name in own]
    if found:
        result["singleValueExtendedProperties"] = found


def _owner(calendar: Calendar) -> Json:
    """Of a calendar that another person shared into the mailbox: that person."""
    if calendar.owner_address:
        return {"name": calendar.owner_address, "address": calendar.owner_address}
    return {"name": calendar.mailbox.display_name, "address": calendar.mailbox.address}


def calendar_json(calendar: Calendar, select: tuple[str, ...] | None = None) -> Json:
    """One calendar (graph.md, Calendars)."""
    result: Json = {
        "id": calendar.id,
        "name": calendar.name,
        "color": calendar.color,
        "hexColor": "",
        "isDefaultCalendar": calendar.is_default,
        "changeKey": calendar.change_key,
        "canShare": True,
        "canViewPrivateItems": True,
        "canEdit": True,
        "isRemovable": not calendar.is_default,
        "isTallyingResponses": calendar.is_default,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "owner": _owner(calendar),
    }
    if select is None:
        return result
    return {name: result[name] for name in ("id", *select)}


def user_json(mailbox: Mailbox) -> Json:
    """The directory's user of a mailbox."""
    return {
        "id": mailbox.oid,
        "displayName": mailbox.display_name,
        "mail": mailbox.address,
        "userPrincipalName": mailbox.address,
        "userType": mailbox.user_type,
        "accountEnabled": True,
    }


def raw_json(item: Item) -> dict[str, Any]:
    """Everything about an event for the admin read-back: both ids, all extended properties, times in UTC."""
    result = event_json(item, View(immutable=True), Settings())
    result["mutableId"] = item.id(immutable=False)
    result["singleValueExtendedProperties"] = [
        {"id": name, "value": value} for name, value in item.extended.items()
    ]
    result["attachments"] = item.attachments
    result["calendar"] = item.master.calendar.name
    return result
