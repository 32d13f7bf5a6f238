"""Events of calendars in our database (domain.md 1)."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.base import Changes, Input, Instant, Line, Resource, absent, plain
from shared.schemas.event_values import BodyType, Importance, Sensitivity, ShowAs
from shared.schemas.paging import PageQuery

#: Longest body, in characters.
BODY_LENGTH = 200_000
#: Exchange stores no more of a subject or a category (domain.md 2.6).
SUBJECT_LENGTH = 255
_LINE_BREAKS = "\n\r\t"
#: They show a text in another order than it is stored (Unicode TR36, "Bidirectional Text Spoofing").
_BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _printable(value: str) -> str:
    """Refuse bidi controls, and control characters except line breaks and tabs.

    Other formatting characters are common in text that is pasted from a mail.
    """
    for character in value:
        is_control = unicodedata.category(character) in ("Cc", "Cs") and character not in _LINE_BREAKS
        if is_control or character in _BIDI_CONTROLS:
            raise PydanticCustomError(
                "control_character",
                "must not contain the control character U+{code}",
                {"code": f"{ord(character):04X}"},
            )
    return value


type EventSubject = Annotated[Line, Field(max_length=SUBJECT_LENGTH)]
type EventBody = Annotated[str, StringConstraints(max_length=BODY_LENGTH), AfterValidator(_printable)]
type EventBodyType = Literal["text", "html"]
type EventZone = Annotated[Line, Field(max_length=64, description="IANA or Windows zone name.")]
type EventLocation = Annotated[
    str, StringConstraints(max_length=500, strip_whitespace=True), AfterValidator(plain)
]
type EventCategory = Annotated[Line, Field(max_length=SUBJECT_LENGTH)]
type EventCategories = Annotated[list[EventCategory], Field(max_length=25)]
type EventShowAs = Literal["busy", "free", "tentative", "oof", "workingElsewhere"]
type EventImportance = Literal["normal", "low", "high"]
type EventSensitivity = Literal["normal", "personal", "private", "confidential"]

_ALL_DAY = "For an all-day event midnight UTC of its date, whatever its zone."


class LocalEventListQuery(PageQuery):
    """Selects events that intersect ``[window_start, window_end)``."""

    window_start: Instant = Field(examples=["2026-01-01T00:00:00Z"])
    window_end: Instant = Field(examples=["2026-02-01T00:00:00Z"])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.window_end <= self.window_start:
            raise PydanticCustomError("range_order", "must be after window_start", {"field": "window_end"})
        return self


class LocalEventCreate(Input):
    """A single event to add."""

    subject: EventSubject
    start: Instant = Field(description=_ALL_DAY, examples=["2026-01-05T09:00:00Z"])
    end: Instant = Field(description=_ALL_DAY, examples=["2026-01-05T10:00:00Z"])
    start_zone: EventZone = "UTC"
    end_zone: EventZone | None = Field(default=None, description="The zone of the start if null.")
    is_all_day: bool = False
    body: EventBody = ""
    body_type: EventBodyType = "text"
    location: EventLocation = ""
    categories: EventCategories = Field(default_factory=list)
    show_as: EventShowAs = "busy"
    importance: EventImportance = "normal"
    sensitivity: EventSensitivity = "normal"


class LocalEventUpdate(Changes):
    """The changes of an event."""

    subject: EventSubject = Field(default_factory=absent)
    start: Instant = Field(default_factory=absent, description=_ALL_DAY)
    end: Instant = Field(default_factory=absent, description=_ALL_DAY)
    start_zone: EventZone = Field(default_factory=absent)
    end_zone: EventZone = Field(default_factory=absent)
    is_all_day: bool = Field(default_factory=absent)
    body: EventBody = Field(default_factory=absent)
    body_type: EventBodyType = Field(default_factory=absent)
    location: EventLocation = Field(default_factory=absent)
    categories: EventCategories = Field(default_factory=absent)
    show_as: EventShowAs = Field(default_factory=absent)
    importance: EventImportance = Field(default_factory=absent)
    sensitivity: EventSensitivity = Field(default_factory=absent)


class LocalEventSummary(Resource):
    """An event in a list. Another person's private one shows only its times and "Private" (6.3)."""

    id: UUID
    local_calendar_id: UUID
    subject: str
    start: datetime
    end: datetime
    start_zone: str
    end_zone: str
    is_all_day: bool
    location: str
    categories: list[str]
    show_as: ShowAs
    importance: Importance
    sensitivity: Sensitivity
    is_archived_copy: bool
    version: int


class LocalEventResource(LocalEventSummary):
    """One event with its body."""

    body: str
    body_type: BodyType
    created_at: datetime
    updated_at: datetime
