"""Converts rows of local calendars to the events and copies of archiving."""

from datetime import UTC

from shared.database.models.local_calendars import LocalEvent
from shared.domain.calendars.local_calendar import etag, local_id
from shared.domain.copies.calendar_copy import Copy, parsed_source
from shared.domain.events.event_content import CONTENT_COLUMNS, EventContent, content_fields
from shared.domain.events.source_event import EventType, SourceEvent


def source_event_of(row: LocalEvent) -> SourceEvent:
    """The event in the form of a source event."""
    content = EventContent.from_json({column: getattr(row, column) for column in CONTENT_COLUMNS})
    return SourceEvent(
        id=local_id(row.id),
        type=EventType.SINGLE_INSTANCE,
        ical_uid=str(row.id),
        change_key=str(row.version),
        **content_fields(content),
    )


def copy_of(row: LocalEvent) -> Copy:
    """The event in the form of a copy."""
    return Copy(
        event=source_event_of(row),
        etag=etag(row.version),
        archive_key=row.archive_key or "",
        revision=row.archive_revision or "",
        source=parsed_source(row.archive_source or ""),
        created=row.created_at.astimezone(UTC),
    )
