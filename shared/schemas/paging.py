"""Cursor paging: ``{"items": […], "next": …}``. ``next`` is opaque, and null on the last page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import Field

from shared.errors import FieldError, ValidationFailed
from shared.schemas.base import Input, Resource

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
#: The suffix of cursors of numbered lists, so that none is accepted by a list in order of time.
_OF_PLACES = b"numbers"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    """The end of a page: the sort instant (UTC, microseconds) and the id of its last row."""

    instant: datetime
    id: UUID

    def cursor(self) -> str:
        """The opaque text for the caller."""
        return _pack((self.instant - _EPOCH) // timedelta(microseconds=1), self.id)

    @classmethod
    def of(cls, cursor: str | None) -> "Position | None":
        """The position in our cursor. Raises ValidationFailed naming ``cursor`` for any other text."""
        if cursor is None:
            return None
        microseconds, row_id = _unpack(cursor)
        try:
            return cls(_EPOCH + timedelta(microseconds=microseconds), row_id)
        except OverflowError:
            raise _not_ours() from None


@dataclass(frozen=True, slots=True)
class Place:
    """The end of a page of numbered rows: the number and the id of its last row."""

    number: int
    id: UUID

    def cursor(self) -> str:
        """The opaque text for the caller."""
        return _pack(self.number, self.id, _OF_PLACES)

    @classmethod
    def of(cls, cursor: str | None) -> "Place | None":
        """The place in our cursor. Raises ValidationFailed naming ``cursor`` for any other text."""
        return None if cursor is None else cls(*_unpack(cursor, _OF_PLACES))


def _pack(number: int, row_id: UUID, kind: bytes = b"") -> str:
    return urlsafe_b64encode(number.to_bytes(8, "big", signed=True) + row_id.bytes + kind).decode("ascii")


def _unpack(cursor: str, kind: bytes = b"") -> tuple[int, UUID]:
    try:
        packed = urlsafe_b64decode(cursor.encode("ascii"))
        if len(packed) != 24 + len(kind) or packed[24:] != kind:
            raise ValueError("not of this kind")
    except ValueError:
        raise _not_ours() from None
    return int.from_bytes(packed[:8], "big", signed=True), UUID(bytes=packed[8:24])


def _not_ours() -> ValidationFailed:
    return ValidationFailed([FieldError("cursor", "is not a cursor of this list", "cursor_invalid")])


@dataclass(frozen=True, slots=True)
class Slice[Row, End: (Position, Place) = Position]:
    """A page of rows, and where the next one starts. None on the last page."""

    rows: Sequence[Row]
    next: End | None

    @classmethod
    def cut(cls, rows: Sequence[Row], limit: int, place: Callable[[Row], End]) -> "Slice[Row, End]":
        """A page from up to ``limit + 1`` rows: the extra one shows that there is a next page."""
        shown = rows[:limit]
        return cls(shown, place(shown[-1]) if len(rows) > limit else None)

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page."""
        return self.next.cursor() if self.next else None


class PageQuery(Input):
    """Parameters of every list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None

    @property
    def after(self) -> Position | None:
        """Where the page starts. Raises ValidationFailed naming ``cursor``."""
        return Position.of(self.cursor)


class Page[T](Resource):
    """One page in a stable order."""

    items: list[T]
    next: str | None
