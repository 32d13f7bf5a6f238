"""Shared code of every model of the public contract."""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

#: The maximum length of a one-line text such as a name or a reference.
LINE_LENGTH = 500
#: Joiners that Persian and emoji need. Every other formatting character is refused.
_JOINERS = "\u200c\u200d"
_STARTS_AS_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Columns whose public name differs from the column name.
_COLUMNS = {"status": "state", "user_id": "owner_id"}
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def plain(value: str) -> str:
    """Refuse control and formatting characters: PostgreSQL stores no NUL, and a name has no line breaks."""
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cs", "Cf") and character not in _JOINERS:
            raise PydanticCustomError(
                "control_character",
                "must not contain the control character U+{code}",
                {"code": f"{ord(character):04X}"},
            )
    return value


def _not_a_number(value: object) -> object:
    """pydantic reads a number, also in a string, as seconds since 1970. No caller means that."""
    if isinstance(value, date) or (isinstance(value, str) and _STARTS_AS_DATE.match(value)):
        return value
    raise PydanticCustomError(
        "instant_invalid", "must be a date or a date and time, such as 2026-11-01T00:00:00Z"
    )


def _calendar_years[T: date](value: T) -> T:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise PydanticCustomError(
            "out_of_range",
            "must lie in the years {first} to {last}",
            {"first": _FIRST_YEAR, "last": _LAST_YEAR},
        )
    return value


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


type Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LINE_LENGTH, strip_whitespace=True),
    AfterValidator(plain),
]
#: An instant with its offset, stored in UTC.
type Instant = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_not_a_number),
    AfterValidator(_calendar_years),
    AfterValidator(_in_utc),
]
#: A day without a zone.
type Day = Annotated[
    date, Field(strict=False), BeforeValidator(_not_a_number), AfterValidator(_calendar_years)
]


class Input(BaseModel):
    """A request. Unknown fields are refused, and types are exact. Built on first use (cold start)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def absent() -> Any:
    """Replaces a field that a change does not name. ``Changes.given`` has the given ones."""
    return None


class Changes(Input):
    """A change. Fields that are not named stay. At least one field is named."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "name at least one field")
        return self

    def given(self) -> dict[str, Any]:
        """The named fields with their values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Resource(BaseModel):
    """An answer. Times are RFC 3339 in UTC. Read from rows by attribute."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, from_attributes=True)


class NoQuery(Input):
    """The query of an operation that takes no parameters."""


class AnyQuery(Input):
    """Any parameters. They have no meaning."""

    model_config = ConfigDict(extra="ignore")


class NoBody(Input):
    """The body of an operation without one."""


def columns_of(row: object, model: type[Resource], *beside: str, **named: str) -> dict[str, Any]:
    """The fields of ``model`` from a row, except ``beside``. ``named`` maps fields to columns.

    ``status`` is the column ``state`` and ``user_id`` the column ``owner_id``, if a row has them.
    """
    return {
        name: getattr(row, named.get(name) or _column(row, name))
        for name in model.model_fields
        if name not in beside
    }


def _column(row: object, name: str) -> str:
    column = _COLUMNS.get(name, name)
    return column if hasattr(row, column) else name
