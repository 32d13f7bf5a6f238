"""Events and writes as the tests need them."""

from typing import Any
from uuid import UUID, uuid4

import orjson

from shared.domain.calendars.calendar_port import Write
from shared.domain.copies.archive_copy import copy_payload
from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent, archive_key, source_key

CONFIGURATION = UUID("c0000000-0000-4000-8000-000000000001")


def event(subject: str, start: str, end: str, zone: str = "UTC", **more: object) -> dict[str, Any]:
    """An event in Graph's JSON."""
    times = {name: {"dateTime": value, "timeZone": zone} for name, value in (("start", start), ("end", end))}
    return {"subject": subject, **times, **more}


def in_june(count: int) -> list[dict[str, Any]]:
    """This many half-hour events, spread over June 2026."""
    return [
        event(
            f"Event {n}",
            f"2026-06-{n % 28 + 1:02}T{n % 23:02}:00:00",
            f"2026-06-{n % 28 + 1:02}T{n % 23:02}:30:00",
        )
        for n in range(count)
    ]


def create(subject: str = "A copy", **more: Any) -> Write:
    """A create with a transactionId of its own."""
    operation_id = uuid4()
    body = event(
        subject, "2026-06-01T10:00:00", "2026-06-01T11:00:00", transactionId=str(operation_id), **more
    )
    return Write(operation_id, "create", orjson.dumps(body))


def update(copy_id: str, if_match: str | None = None, **fields: object) -> Write:
    """A PATCH of the given fields."""
    return Write(uuid4(), "update", orjson.dumps(fields), copy_id, if_match)


def archived(source: SourceEvent) -> Write:
    """The create that archiving makes of a source event."""
    key = source_key(source)
    payload = copy_payload(
        source,
        configuration_id=CONFIGURATION,
        archive_key=archive_key(CONFIGURATION, key),
        source_key=key,
        revision=revision(source),
        generation=0,
        create=True,
    )
    return Write(uuid4(), "create", orjson.dumps(payload.body))
