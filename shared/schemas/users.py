"""Users: the people whose mailboxes we work on (domain.md 1)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Changes, Input, Line, Resource, absent
from shared.schemas.paging import PageQuery


class UserCreate(Input):
    """A person to add. Object id and display name come from Graph if they are not given."""

    address: Annotated[
        Line,
        Field(
            min_length=3,
            max_length=254,
            pattern=r"^[^@\s/\\]+@[^@\s/\\]+$",
            description="Mailbox address or user principal name.",
            examples=["ada@example.com"],
        ),
    ]
    object_id: UUID | None = Field(default=None, description="Entra object id; must be the mailbox's own.")
    display_name: Line | None = None


class UserUpdate(Changes):
    """What may change of a person. Once deactivated they are refused, whatever their token says."""

    display_name: Line = Field(default_factory=absent)
    active: bool = Field(default_factory=absent)


class UserListQuery(PageQuery):
    """Parameters of the list."""

    address: Line | None = Field(default=None, description="Only the user with this mailbox address.")
    name: Annotated[Line, Field(max_length=100)] | None = Field(
        default=None,
        description="Only users whose name or address holds this text; case does not matter.",
        examples=["ada"],
    )
    active: bool | None = Field(default=None, description="Only users who are active, or who are not.")


class UserResource(Resource):
    """A user: a person of the tenant whose calendars may be archived."""

    id: UUID
    object_id: UUID
    address: str
    display_name: str
    active: bool
    legal_hold: bool = Field(description="Nothing of this person may be erased.")
    offboarded_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime
