"""The content of an event: what its copy shows (domain.md 2.6). This is the only list of its fields."""

from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Self

import msgspec

from shared.domain.json_object import JsonObject

#: What changes of a content, by column, JSON-able. A change may name any of them, so nothing else is fixed.
type ContentChanges = JsonObject


class EventContent(msgspec.Struct, frozen=True, gc=False):
    """The content. A field's ``name`` is its column in every table of events, if it differs.

    It is a ``Struct`` because a page holds a thousand events. A frozen dataclass takes 20 times as long.
    """

    subject: str
    body: str
    body_type: str
    #: A UTC instant. For an all-day event, midnight of its date as given, tagged UTC (graph.md,
    #: calendarView).
    start: datetime = msgspec.field(name="start_at")
    #: As ``start``.
    end: datetime = msgspec.field(name="end_at")
    #: ``originalStartTimeZone`` as given (a Windows, IANA or custom name).
    start_zone: str
    #: ``originalEndTimeZone`` as given.
    end_zone: str
    is_all_day: bool
    location: str
    categories: tuple[str, ...]
    show_as: str
    importance: str
    sensitivity: str

    @classmethod
    def from_json(cls, columns: JsonObject) -> Self:
        """From values by column. Times are datetimes or ISO 8601; other columns are ignored.

        Raises ``msgspec.ValidationError`` if a value is missing or of another type.
        """
        return msgspec.convert(columns, cls)

    def changed(self, changes: ContentChanges) -> Self:
        """The value after these changes. Raises as ``from_json``."""
        return self.from_json({**self.to_json(), **changes})

    def to_json(self) -> JsonObject:
        """By column. Times are ISO 8601. Without characters that PostgreSQL refuses."""
        values = (getattr(self, name) for name in self.__struct_fields__)
        return dict(zip(self.__struct_encode_fields__, map(_written, values), strict=True))


CONTENT_FIELDS: Final = EventContent.__struct_fields__
#: The fields as columns of our tables, in the same order.
CONTENT_COLUMNS: Final = EventContent.__struct_encode_fields__
#: The fields that a person sees. The others only say how these were written.
SEEN_FIELDS: Final = tuple(
    name for name in CONTENT_FIELDS if name not in ("body_type", "start_zone", "end_zone")
)
_content_of = attrgetter(*CONTENT_FIELDS)
_AS_THEY_ARE: Final = frozenset((bool, int, type(None)))


def content_of(event: EventContent) -> EventContent:
    """The content alone, of an event or of a record."""
    return EventContent(*_content_of(event))


def content_fields(event: EventContent) -> JsonObject:
    """The content by field, for another value that has it."""
    return dict(zip(CONTENT_FIELDS, _content_of(event), strict=True))


def storable(text: str) -> str:
    """Remove U+0000. PostgreSQL refuses it, and one such event would fail the whole plan."""
    return text.replace("\x00", "") if "\x00" in text else text


def _written(value: Any) -> Any:
    # Most values. A match would try every pattern for each of them.
    kind = type(value)
    if kind is str:
        return storable(value)
    if kind in _AS_THEY_ARE:
        return value
    match value:
        case str():
            return storable(value)
        case datetime():
            return value.isoformat()
        case tuple():
            return [_written(each) for each in value]
        case msgspec.Struct():
            return {name: _written(getattr(value, name)) for name in value.__struct_fields__}
    return value.to_json() if hasattr(value, "to_json") else value
