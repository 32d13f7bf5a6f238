"""Builds what is written for an archived event: the copy and our record (domain.md 2.6)."""

import uuid
from collections.abc import Sequence
from copy import replace
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.events.event_content import storable
from shared.domain.events.source_event import SourceEvent
from shared.domain.json_object import JsonObject
from shared.domain.planning.modifications import Modification
from shared.domain.times.zones import find_zone, local_wall_time

# These ids never change, because existing copies are found by them (graph.md, Extended property).
_PROPERTY_SET = "{6f1d2c52-3a0e-4b7b-9a55-0d6c1f2e8b41}"
ARCHIVE_KEY_PROPERTY = f"String {_PROPERTY_SET} Name ArchiveKey"
ARCHIVE_REVISION_PROPERTY = f"String {_PROPERTY_SET} Name ArchiveRevision"
ARCHIVE_SOURCE_PROPERTY = f"String {_PROPERTY_SET} Name ArchiveSource"

MAX_SUBJECT_UNITS = 255
"""Exchange stores 255 UTF-16 units of a subject and ends a longer one with three dots."""

_WRITABLE_SHOW_AS = frozenset({"free", "tentative", "busy", "oof", "workingElsewhere"})


@dataclass(frozen=True, slots=True)
class CopyPayload:
    """The JSON body of the POST or PATCH, and whether a time could not keep its original zone."""

    body: JsonObject
    zone_reported: bool


def copy_payload(
    event: SourceEvent,
    *,
    configuration_id: uuid.UUID,
    archive_key: str,
    source_key: str,
    revision: str,
    generation: int,
    create: bool,
    superseded: bool = False,
) -> CopyPayload:
    """The body that creates (``create``) or updates the copy of ``event`` (domain.md 2.6; graph.md, Event).

    - It never has attendees or an online meeting, so it cannot send an invitation.
    - A create carries ``transactionId`` and all three extended properties. An update carries all but
      ``ArchiveKey``.
    - A custom or unknown zone, and a wall time that occurs twice, are written in UTC and reported.
    - ``showAs`` "unknown" is written as "busy", because it counts as busy (domain.md 5.1). Our record keeps
      the original.
    """
    start, start_kept = _time(event.start, event.start_zone, event.is_all_day)
    # Exchange refuses an all-day event with two zones (graph.md, Event).
    end_zone = event.start_zone if event.is_all_day else event.end_zone
    end, end_kept = _time(event.end, end_zone, event.is_all_day)
    body: dict[str, object] = {
        "subject": _graph_subject(storable(event.subject)),
        "body": {"contentType": event.body_type, "content": storable(event.body)},
        "start": start,
        "end": end,
        "isAllDay": event.is_all_day,
        "location": {"displayName": storable(event.location)},
        "categories": [storable(category) for category in event.categories],
        "showAs": event.show_as if event.show_as in _WRITABLE_SHOW_AS else "busy",
        "importance": event.importance,
        "sensitivity": event.sensitivity,
        "isReminderOn": False,
    }
    origin = archive_source(
        configuration_id,
        source_key,
        event.id,
        event.ical_uid,
        event.original_start or event.start,
        generation,
        superseded=superseded,
    )
    properties = [
        {"id": ARCHIVE_REVISION_PROPERTY, "value": revision},
        {"id": ARCHIVE_SOURCE_PROPERTY, "value": origin},
    ]
    if create:
        properties.append({"id": ARCHIVE_KEY_PROPERTY, "value": archive_key})
        body["transactionId"] = transaction_id(configuration_id, archive_key, generation)
    body["singleValueExtendedProperties"] = properties
    return CopyPayload(body, zone_reported=not (start_kept and end_kept))


def recreated_copy(
    body: JsonObject,
    *,
    configuration_id: uuid.UUID,
    archive_key: str,
    source_key: str,
    source_id: str,
    ical_uid: str,
    original_start: datetime,
    generation: int,
) -> JsonObject:
    """The body that creates a copy again, from the body that was meant to update it (domain.md 2.10).

    ``original_start`` is UTC.
    """
    origin = archive_source(configuration_id, source_key, source_id, ical_uid, original_start, generation)
    kept = [each for each in body["singleValueExtendedProperties"] if each["id"] != ARCHIVE_SOURCE_PROPERTY]
    return {
        **body,
        "transactionId": transaction_id(configuration_id, archive_key, generation),
        "singleValueExtendedProperties": [
            *kept,
            {"id": ARCHIVE_KEY_PROPERTY, "value": archive_key},
            {"id": ARCHIVE_SOURCE_PROPERTY, "value": origin},
        ],
    }


def retimed_copy(
    body: JsonObject,
    record: AppointmentRecord,
    start: datetime,
    end: datetime,
    revision: str,
    modifications: Sequence[Modification] = (),
) -> tuple[CopyPayload, AppointmentRecord]:
    """A drafted payload and record with the times and revision that modifications produced (domain.md 4).

    The result equals a new draft of the event with these times (UTC). The original zones are those of the
    record.
    """
    new_start, start_kept = _time(start, record.start_zone, all_day=False)
    new_end, end_kept = _time(end, record.end_zone, all_day=False)
    properties = [
        {**entry, "value": revision} if entry["id"] == ARCHIVE_REVISION_PROPERTY else entry
        for entry in body["singleValueExtendedProperties"]
    ]
    changed = {"start": new_start, "end": new_end, "singleValueExtendedProperties": properties}
    payload = CopyPayload({**body, **changed}, zone_reported=not (start_kept and end_kept))
    retimed = replace(record, start=start, end=end, revision=revision, modifications=tuple(modifications))
    return payload, retimed


def transaction_id(configuration_id: uuid.UUID, archive_key: str, generation: int) -> str:
    """Makes a repeated POST of one copy harmless: UUIDv5 (design.md, Creating).

    It names the archive key, because a source key may get a new row while the copy of its first row stays.
    """
    return str(uuid.uuid5(configuration_id, f"{archive_key}|{generation}"))


def _time(instant: datetime, zone_name: str, all_day: bool) -> tuple[dict[str, str], bool]:
    """An instant as dateTimeTimeZone, in its original zone if that converts back exactly."""
    zone = find_zone(zone_name)
    if zone is None:
        return _date_time(instant.astimezone(UTC), "UTC"), False
    name = "UTC" if zone.key == "UTC" else zone_name
    if all_day:
        # The instants of an all-day event are the midnights of its dates as given, never shifted (graph.md).
        return _date_time(instant, name), True
    wall = local_wall_time(instant, zone)
    if wall is None:
        return _date_time(instant.astimezone(UTC), "UTC"), False
    return _date_time(wall, name), True


def _date_time(wall: datetime, zone_name: str) -> dict[str, str]:
    digits = wall.replace(tzinfo=None).isoformat(timespec="microseconds")
    return {"dateTime": f"{digits}0", "timeZone": zone_name}


def archive_source(
    configuration_id: uuid.UUID,
    source_key: str,
    source_id: str,
    ical_uid: str,
    original_start: datetime,
    generation: int,
    *,
    superseded: bool = False,
) -> str:
    """``ArchiveSource`` of a copy. It lets the mailbox alone rebuild the map (domain.md 2.6)."""
    start = original_start.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    source = {
        "configuration": str(configuration_id),
        "key": source_key,
        "source": source_id,
        "iCalUId": ical_uid,
        "originalStart": f"{start}Z",
        "generation": generation,
        "superseded": superseded,
    }
    return orjson.dumps(source, option=orjson.OPT_SORT_KEYS).decode()


def _graph_subject(subject: str) -> str:
    units = subject.encode("utf-16-le")
    if len(units) <= 2 * MAX_SUBJECT_UNITS:
        return subject
    return units[: 2 * (MAX_SUBJECT_UNITS - 3)].decode("utf-16-le", errors="ignore") + "..."
