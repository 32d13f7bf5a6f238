"""What every model of the public contract has in common."""

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

#: Largest length of a one-line text such as a name or a reference.
LINE_LENGTH = 500
#: Joiners that Persian and emoji need; every other formatting character is refused.
_JOINERS = "\u200c\u200d"
_STARTS_AS_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Where the public name of a column is not its own.
_COLUMNS = {"status": "state", "user_id": "owner_id"}
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def plain(value: str) -> str:
    """Refuses control and formatting characters: PostgreSQL stores no NUL, a name has no line breaks."""
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cs", "Cf") and character not in _JOINERS:
            raise PydanticCustomError(
                "control_character",
                "must not contain the control character U+{code}",
                {"code": f"{ord(character):04X}"},
            )
    return value


def _not_a_number(value: object) -> object:
    """pydantic reads a number, also in a string, as seconds since 1970; nobody who writes one means that."""
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
#: An instant with its offset, kept in UTC.
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
    """What callers send: unknown fields are refused, types are exact. Built at first use (cold start)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def absent() -> Any:
    """Stands for a field that a change does not name; what was given is told by ``Changes.given``."""
    return None


class Changes(Input):
    """What is to change: a field that is not named stays as it is. At least one is named."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "name at least one field")
        return self

    def given(self) -> dict[str, Any]:
        """The fields that are named, with their values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Resource(BaseModel):
    """What we answer. Times are RFC 3339 in UTC. Read from rows by attribute."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, from_attributes=True)


class NoQuery(Input):
    """The query of an operation that takes no parameters."""


class AnyQuery(Input):
    """Whatever parameters there are; they mean nothing."""

    model_config = ConfigDict(extra="ignore")


class NoBody(Input):
    """The body of an operation that takes none."""


def columns_of(row: object, model: type[Resource], *beside: str, **named: str) -> dict[str, Any]:
    """The fields of ``model`` from a row, but for ``beside``; ``named`` says from which column.

    ``status`` is the column ``state`` and ``user_id`` the column ``owner_id``, where a row has them.
    """
    return {
        name: getattr(row, named.get(name) or _column(row, name))
        for name in model.model_fields
        if name not in beside
    }


def _column(row: object, name: str) -> str:
    column = _COLUMNS.get(name, name)
    return column if hasattr(row, column) else name
