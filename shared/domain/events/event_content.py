"""The content of an event as columns of our tables. This is the only list of them (domain.md 1)."""

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from shared.domain.events.source_event import SourceEvent

#: The columns, in the order of ``SourceEvent``.
CONTENT_COLUMNS: Final = (
    *("subject", "body", "body_type", "start_at", "end_at", "start_zone", "end_zone", "is_all_day"),
    *("location", "categories", "show_as", "importance", "sensitivity"),
)


#: The same columns as fields of ``SourceEvent``.
CONTENT_FIELDS: Final = tuple(column.removesuffix("_at") for column in CONTENT_COLUMNS)
_content_of = attrgetter(*CONTENT_FIELDS)


def event_content(event: SourceEvent) -> dict[str, Any]:
    """The content of an event, by field."""
    return dict(zip(CONTENT_FIELDS, _content_of(event), strict=True))


def content_columns(event: SourceEvent) -> dict[str, Any]:
    """The content columns, JSON-able, times ISO 8601, without characters that PostgreSQL refuses."""
    return dict(zip(CONTENT_COLUMNS, map(_written, _content_of(event)), strict=True))


def content_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a ``SourceEvent``, from columns. Times are datetimes or ISO 8601."""
    return {
        field: _read(column, row[column])
        for field, column in zip(CONTENT_FIELDS, CONTENT_COLUMNS, strict=True)
    }


def storable(text: str) -> str:
    """Remove U+0000. PostgreSQL refuses it, and one such event would fail the whole plan."""
    return text.replace("\x00", "") if "\x00" in text else text


def _written(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case datetime():
            return value.isoformat()
        case tuple():
            return [storable(each) for each in value]
    return value


def _read(column: str, value: Any) -> Any:
    if column.endswith("_at"):
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    return tuple(value) if column == "categories" else value
