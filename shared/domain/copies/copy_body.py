"""Reads the body of a written copy back as columns (domain.md 2.6; graph.md, Event).

``archive_copy`` makes the body, and mailboxes take it unchanged. The columns are used to compare what was
written, and to store it in a local calendar.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from shared.domain.copies.archive_copy import (
    ARCHIVE_KEY_PROPERTY,
    ARCHIVE_REVISION_PROPERTY,
    ARCHIVE_SOURCE_PROPERTY,
)
from shared.domain.events.event_content import ContentChanges, EventContent
from shared.domain.json_object import JsonObject
from shared.domain.times.zones import find_zone, first_instant

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
#: The defaults of an event if a POST does not name them (graph.md, Event).
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


def parsed(payload: bytes) -> JsonObject:
    """The JSON object of a write. Raises ValueError for anything else."""
    body = orjson.loads(payload)
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")
    return body


def written_content(payload: bytes) -> EventContent:
    """The content that a write gives to its copy. Raises ValueError for an invalid body."""
    return EventContent.from_json(columns_to_create(parsed(payload)))


def columns_to_create(body: JsonObject) -> ContentChanges:
    """The columns of a new event, from the body of a POST. Raises ValueError for invalid values."""
    columns = {**_DEFAULTS, **columns_to_update(body)}
    if "start_at" not in columns or "end_at" not in columns:
        raise ValueError("start and end are needed")
    if "transactionId" in body:
        columns["transaction_id"] = str(body["transactionId"])
    return columns


def columns_to_update(body: JsonObject) -> ContentChanges:
    """The columns in the body of a PATCH, times as ISO 8601. Raises ValueError as above."""
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


def _times(body: JsonObject) -> ContentChanges:
    if "start" not in body and "end" not in body and "isAllDay" not in body:
        return {}
    # A part of an interval cannot be checked. Our writes always name all of it (domain.md 2.6).
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
        # The dates of an all-day event are never shifted (graph.md, calendarView).
        return datetime.fromisoformat(value["dateTime"][:10]).replace(tzinfo=UTC)
    return wall_instant(value["dateTime"], value.get("timeZone") or "UTC")


def wall_instant(wall_time: str, zone_name: str) -> datetime:
    """A wall time in a zone as a UTC instant. Digits after microseconds are dropped.

    A time with its own offset uses that offset. Raises ValueError for an invalid time or zone.
    """
    wall = datetime.fromisoformat(wall_time)
    if wall.tzinfo is not None:
        return wall.astimezone(UTC)
    if zone_name == "UTC":
        return wall.replace(tzinfo=UTC)
    zone = find_zone(zone_name)
    if zone is None:
        raise ValueError(f"unknown zone {zone_name}")
    return first_instant(wall, zone)
