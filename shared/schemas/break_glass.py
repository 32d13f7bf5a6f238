"""Emergency access to a person's private events (domain.md 6.3)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Input, Line, Resource, columns_of

if TYPE_CHECKING:
    from shared.database.models.break_glass import BreakGlassAccess

DEFAULT_MINUTES = 60
MOST_MINUTES = 24 * 60


class BreakGlassWish(Input):
    """Why, and for how long."""

    reason: Annotated[
        Line,
        Field(
            min_length=10,
            max_length=500,
            description="Told to the person and audited.",
            examples=["The person is missing; the police ask for today's appointments."],
        ),
    ]
    minutes: int = Field(default=DEFAULT_MINUTES, ge=5, le=MOST_MINUTES, description="For how long.")


class BreakGlassResource(Resource):
    """Who (object id) may see the private events of which user, why and until when."""

    id: UUID
    user_id: UUID
    admin_id: UUID
    reason: str
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    version: int

    @classmethod
    def of(cls, access: "BreakGlassAccess") -> Self:
        """The resource of a row."""
        return cls(**columns_of(access, cls, expires_at="ends_at"))
