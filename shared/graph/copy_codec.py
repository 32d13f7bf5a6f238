"""Archived copies as Graph returns them (domain.md 2.6; graph.md, Extended property)."""

from datetime import UTC, datetime

from shared.domain.copies.archive_copy import (
    ARCHIVE_KEY_PROPERTY,
    ARCHIVE_REVISION_PROPERTY,
    ARCHIVE_SOURCE_PROPERTY,
)
from shared.domain.copies.calendar_copy import CONTENT, Copy, parsed_source
from shared.graph.event_codec import EventCodec, source_event
from shared.graph.items import EventItem

COPY_FIELDS = (
    *("id", "changeKey", "createdDateTime", "originalStartTimeZone", "originalEndTimeZone"),
    *CONTENT,
)
COPY_EXPAND = "singleValueExtendedProperties($filter={})".format(
    " or ".join(
        f"id eq '{name}'"
        for name in (ARCHIVE_KEY_PROPERTY, ARCHIVE_REVISION_PROPERTY, ARCHIVE_SOURCE_PROPERTY)
    )
)
_NEVER = datetime.fromtimestamp(0, UTC)


def _copy(item: EventItem) -> Copy:
    """The copy of an item. For a foreign event, key and revision are empty. Raises as ``source_event``."""
    properties = {
        _spelling(entry.id): entry.value or "" for entry in item.single_value_extended_properties or ()
    }
    created = item.created_date_time
    return Copy(
        event=source_event(item),
        etag=item.etag or f'W/"{item.change_key or ""}"',
        archive_key=properties.get(_KEY, ""),
        revision=properties.get(_REVISION, ""),
        source=parsed_source(properties.get(_SOURCE, "")),
        created=datetime.fromisoformat(created).astimezone(UTC) if created else _NEVER,
    )


def _spelling(property_id: str) -> str:
    # Graph returns the id with the GUID in other letter case.
    return " ".join(property_id.split()).casefold()


_KEY, _REVISION, _SOURCE = map(
    _spelling, (ARCHIVE_KEY_PROPERTY, ARCHIVE_REVISION_PROPERTY, ARCHIVE_SOURCE_PROPERTY)
)
COPIES = EventCodec(_copy)
