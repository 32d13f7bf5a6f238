"""Events of local calendars in Graph's JSON, so that one reader and one writer serve both stores.

Archiving writes the body of a POST or PATCH as Graph takes it and reads what Graph answers; a local calendar
takes and answers the same (graph.md, Event).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from shared.database.models.local_calendars import LocalEvent
from shared.domain.archive_copy import (
    ARCHIVE_KEY_PROPERTY,
    ARCHIVE_REVISION_PROPERTY,
    ARCHIVE_SOURCE_PROPERTY,
)
from shared.domain.local_calendar import etag, local_id
from shared.domain.source_event import SourceEvent
from shared.graph.copy_codec import Copy, decode_copy
from shared.graph.event_codec import decode_event, moment

_PROPERTIES: Final = {
    ARCHIVE_KEY_PROPERTY: "archive_key",
    ARCHIVE_REVISION_PROPERTY: "archive_revision",
    ARCHIVE_SOURCE_PROPERTY: "archive_source",
}
_CHOICES: Final = {
    "showAs": ("show_as", ("free", "tentative", "busy", "oof", "workingElsewhere", "unknown")),
    "importance": ("importance", ("low", "normal", "high")),
    "sensitivity": ("sensitivity", ("normal", "personal", "private", "confidential")),
}
#: Of an event of which a POST does not say otherwise (graph.md, Event).
_DEFAULTS: Final = {
    "subject": "",
    "body": "",
    "body_type": "text",
    "is_all_day": False,
    "location": "",
    "categories": [],
    "show_as": "busy",
    "importance": "normal",
    "sensitivity": "normal",
}


def columns_to_create(body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a new event out of the body of a POST. Raises ValueError for what Graph would refuse."""
    columns = _DEFAULTS | columns_to_update(body)
    if "start_at" not in columns or "end_at" not in columns:
        raise ValueError("start and end are needed")
    if "transactionId" in body:
        columns["transaction_id"] = str(body["transactionId"])
    return columns


def columns_to_update(body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the body of a PATCH names, times as ISO 8601. Raises ValueError as Graph refuses."""
    columns: dict[str, Any] = {}
    if "subject" in body:
        columns["subject"] = str(body["subject"] or "")
    if "body" in body:
        columns["body"] = str(body["body"].get("content") or "")
        columns["body_type"] = "html" if str(body["body"].get("contentType")).lower() == "html" else "text"
    if "location" in body:
        columns["location"] = str((body["location"] or {}).get("displayName") or "")
    if "categories" in body:
        columns["categories"] = [str(category) for category in body["categories"] or ()]
    for name, (column, allowed) in _CHOICES.items():
        if name in body:
            if body[name] not in allowed:
                raise ValueError(f"{name} is none of {', '.join(allowed)}")
            columns[column] = body[name]
    columns |= _times(body)
    for each in body.get("singleValueExtendedProperties") or ():
        if each["id"] in _PROPERTIES:
            columns[_PROPERTIES[each["id"]]] = str(each["value"])
    return columns


def item_of(row: LocalEvent) -> dict[str, Any]:
    """The event in Graph's JSON, times in UTC."""
    properties = [
        {"id": name, "value": value}
        for name, column in _PROPERTIES.items()
        if (value := getattr(row, column)) is not None
    ]
    return {
        "@odata.etag": etag(row.version),
        "id": local_id(row.id),
        "type": "singleInstance",
        "iCalUId": str(row.id),
        "changeKey": str(row.version),
        "createdDateTime": row.created_at.isoformat(),
        "subject": row.subject,
        "body": {"contentType": row.body_type, "content": row.body},
        "start": _date_time(row.start_at),
        "end": _date_time(row.end_at),
        "originalStartTimeZone": row.start_zone,
        "originalEndTimeZone": row.end_zone,
        "isAllDay": row.is_all_day,
        "location": {"displayName": row.location},
        "categories": list(row.categories),
        "showAs": row.show_as,
        "importance": row.importance,
        "sensitivity": row.sensitivity,
        "singleValueExtendedProperties": properties,
    }


def source_event_of(row: LocalEvent) -> SourceEvent:
    """The event as archiving reads it from a source."""
    return decode_event(item_of(row))


def copy_of(row: LocalEvent) -> Copy:
    """The event as archiving reads it from an archive."""
    return decode_copy(item_of(row))


def parsed(payload: bytes) -> dict[str, Any]:
    """The JSON object of a write. Raises ValueError for anything else."""
    body = orjson.loads(payload)
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")
    return body


def _times(body: Mapping[str, Any]) -> dict[str, Any]:
    if "start" not in body and "end" not in body and "isAllDay" not in body:
        return {}
    # Half of an interval cannot be judged: ours name all of it in every write (domain.md 2.6).
    start, end, all_day = body["start"], body["end"], body.get("isAllDay") is True
    start_at, end_at = _instant(start, all_day), _instant(end, all_day)
    if end_at < start_at or (all_day and end_at == start_at):
        raise ValueError("the end must be after the start")
    return {
        "start_at": start_at.isoformat(),
        "end_at": end_at.isoformat(),
        "start_zone": str(start.get("timeZone") or "UTC"),
        "end_zone": str(end.get("timeZone") or "UTC"),
        "is_all_day": all_day,
    }


def _instant(value: Mapping[str, str], all_day: bool) -> datetime:
    if all_day:
        # An all-day event's dates are never shifted (graph.md, calendarView).
        return datetime.fromisoformat(value["dateTime"][:10]).replace(tzinfo=UTC)
    return moment(dict(value))


def _date_time(instant: datetime) -> dict[str, str]:
    digits = instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return {"dateTime": f"{digits}0", "timeZone": "UTC"}
