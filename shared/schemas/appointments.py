"""Appointments: our record of archived events (domain.md 1, 2.6)."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.appointments.appointment_status import AppointmentStatus
from shared.domain.appointments.counting import WhyNot
from shared.schemas.base import Changes, Instant, Line, Resource, absent, plain
from shared.schemas.event_values import (
    AttendeeKind,
    AttendeeResponse,
    BodyType,
    Importance,
    Sensitivity,
    ShowAs,
)
from shared.schemas.paging import PageQuery


class AppointmentListQuery(PageQuery):
    """Selects appointments that intersect ``[window_start, window_end)`` and match every given filter.

    ``category``, ``text``, ``counts``, ``reason_code`` and ``unresolved`` search only what the caller may
    see. They never find another person's private appointments.
    """

    window_start: Instant = Field(examples=["2026-01-01T00:00:00Z"])
    window_end: Instant = Field(examples=["2026-02-01T00:00:00Z"])
    user_id: UUID | None = Field(default=None, description="Whose; the caller's own if not given.")
    configuration_id: UUID | None = None
    category: Line | None = Field(
        default=None,
        description="One of its categories in full; letter case does not count.",
        examples=["Acme - billable"],
    )
    status: Annotated[AppointmentStatus, Field(strict=False)] | None = None
    text: Annotated[Line, Field(min_length=2)] | None = Field(
        default=None, description="Part of subject or location; letter case does not count."
    )
    counts: bool | None = Field(
        default=None, description="true: only appointments that count as time; false: only the others."
    )
    reason_code: Annotated[WhyNot, Field(strict=False)] | None = Field(
        default=None, description="Only appointments that count as no time for this reason."
    )
    source_deleted: bool | None = Field(
        default=None, description="Whether the event is gone from the source calendar."
    )
    unresolved: bool | None = Field(
        default=None, description="Whether it was archived because nobody resolved its overlap in time."
    )
    order: Literal["start", "-start"] = Field(default="start", description="-start: the latest first.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.window_end <= self.window_start:
            raise PydanticCustomError("range_order", "must be after window_start", {"field": "window_end"})
        return self


class AppointmentUpdate(Changes):
    """The owner's changes of an archived event. Unnamed fields, and times of all-day events, stay."""

    subject: Annotated[Line, Field(min_length=0, max_length=255)] = Field(default_factory=absent)
    start: Instant = Field(default_factory=absent, examples=["2026-03-02T09:00:00Z"])
    end: Instant = Field(default_factory=absent, examples=["2026-03-02T10:30:00Z"])
    location: Annotated[str, Field(max_length=500), AfterValidator(plain)] = Field(default_factory=absent)
    categories: Annotated[list[Annotated[Line, Field(max_length=255)]], Field(max_length=25)] = Field(
        default_factory=absent, examples=[["Acme - billable"]]
    )
    show_as: Literal["free", "tentative", "busy", "oof", "workingElsewhere"] = Field(default_factory=absent)
    importance: Literal["low", "normal", "high"] = Field(default_factory=absent)
    sensitivity: Literal["normal", "personal", "private", "confidential"] = Field(default_factory=absent)

    def columns(self) -> dict[str, Any]:
        """The named fields, as columns of the record, JSON-able."""
        given = self.given()
        times = {f"{name}_at": given.pop(name).isoformat() for name in ("start", "end") if name in given}
        return given | times


class PersonResource(Resource):
    """An organizer or attendee."""

    name: str
    address: str
    kind: AttendeeKind = "required"
    response: AttendeeResponse = "none"


class AppointmentSummary(Resource):
    """An appointment in a list. Another person's private one shows only its times and "Private" (6.3)."""

    id: UUID
    user_id: UUID
    configuration_id: UUID
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
    is_cancelled: bool
    is_declined: bool
    attachment_count: int
    source_deleted_at: datetime | None
    source_deleted: bool = Field(
        description="The event is gone from the source calendar. The archived one stays and still counts."
    )
    unresolved: bool | None = Field(
        description="It was archived because nobody resolved its overlap in time. Null for what is private "
        "to another person."
    )
    counts: bool | None = Field(
        description="Whether it counts as time; null for what is private to another person."
    )
    reason_code: WhyNot | None = Field(
        description="Why it counts as no time; null if it counts, and for what is private to another person."
    )


class AppointmentResource(AppointmentSummary):
    """One appointment with its body, organizer and attendees."""

    body: str
    body_type: BodyType
    organizer: PersonResource | None
    attendees: list[PersonResource]
    ical_uid: str
    revision: str
    created_at: datetime
    updated_at: datetime
