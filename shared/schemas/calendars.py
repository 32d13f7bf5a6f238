"""Calendars of a mailbox: Graph's, and those in our database (domain.md 1)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Changes, Input, Line, Resource, absent
from shared.schemas.paging import PageQuery

type StoreName = Literal["outlook", "local"]
type CalendarName = Annotated[Line, Field(max_length=255, examples=["Archive"])]


class CalendarListQuery(PageQuery):
    """Parameters of the list."""

    store: StoreName | None = Field(default=None, description="Only those of one store; both if not given.")


class CalendarCreate(Input):
    """A calendar to create in the person's mailbox or in our database."""

    store: StoreName
    name: CalendarName


class CalendarResolution(Input):
    """A calendar reference as people type it."""

    reference: Annotated[Line, Field(examples=["msgraph://ada@example.com/calendars/Archive"])]


class CalendarUse(Resource):
    """How an archive configuration uses a calendar."""

    configuration_id: UUID
    name: str
    role: Literal["source", "archive"]


class CalendarResource(Resource):
    """A calendar and its reference. ``used_by`` are configurations that are visible to the caller."""

    id: str
    user_id: UUID
    mailbox_id: UUID
    store: StoreName
    reference: str
    name: str
    is_default: bool
    can_edit: bool
    local_calendar_id: UUID | None = Field(description="Where its events are, for a local one.")
    used_by: list[CalendarUse]


class LocalCalendarUpdate(Changes):
    """The changes of a local calendar. Configurations keep using it."""

    name: CalendarName = Field(default_factory=absent)


class LocalCalendarResource(Resource):
    """A calendar in our database."""

    id: UUID
    user_id: UUID
    calendar_id: str
    reference: str
    name: str
    version: int
    created_at: datetime
    updated_at: datetime
