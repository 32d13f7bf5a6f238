"""How an event of the source and a copy of it are named, from Graph's JSON."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.graph_simulator.values.zones import find_zone

type Json = dict[str, Any]

_MEETING = re.compile(r"meeting (\d+)")


def key_of(item: Json) -> str:
    """The source key as domain.md 2.3 defines it, from Graph's JSON."""
    if item["type"] == "singleInstance":
        return f"s:{item['id']}"
    return f"o:{item['seriesMasterId']}:{original_date(item)}"


def original_date(item: Json) -> str:
    """The date of an occurrence's slot in the zone that its event was entered in."""
    if item["isAllDay"] and item["type"] == "occurrence":
        return str(item["start"]["dateTime"][:10])
    slot = datetime.fromisoformat(item["originalStart"][:19]).replace(tzinfo=UTC)
    local = slot.astimezone(find_zone(item["originalStartTimeZone"]) or UTC)
    if item["isAllDay"] and (local.hour, local.minute) != (0, 0):
        local = slot + timedelta(hours=12)
    return f"{local:%Y-%m-%d}"


def archive_key_of(copy: Mapping[str, Any]) -> str:
    """The ``ArchiveKey`` of a copy; empty if it has none."""
    return property_of(copy, "ArchiveKey")


def source_of(copy: Mapping[str, Any]) -> str:
    """Graph's id of the event that a copy is of, as the copy says; empty if it does not."""
    return str(_origin(copy).get("source", ""))


def is_superseded(copy: Mapping[str, Any]) -> bool:
    """Whether a copy says that it represents no meeting any more (domain.md 2.16)."""
    return _origin(copy).get("superseded") is True


def _origin(copy: Mapping[str, Any]) -> Json:
    told = property_of(copy, "ArchiveSource")
    found: Json = json.loads(told) if told else {}
    return found


def property_of(copy: Mapping[str, Any], name: str) -> str:
    """The value of one of our extended properties."""
    for entry in copy.get("singleValueExtendedProperties") or ():
        if entry["id"].casefold().endswith(f"name {name}".casefold()):
            return str(entry["value"])
    return ""


def meeting_of(item: Json) -> int:
    """Which meeting, or series of meetings, an event or a copy is about for the people in it; 0 for none.

    The person writes it into the body of everything they enter, and again where they enter it again.
    """
    found = _MEETING.search(item["body"]["content"])
    return int(found.group(1)) if found else 0
