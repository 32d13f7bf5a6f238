"""Invitations, and what callers learn of themselves."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Input, Line, Resource, columns_of
from shared.schemas.mailbox_approvals import OwnMailboxResource
from shared.schemas.paging import PageQuery
from shared.schemas.users import UserResource

if TYPE_CHECKING:
    from shared.database.models.system import Invitation


class InvitationCreate(Input):
    """An address whose owner becomes a user at their first sign-in, where the policy is ``invitation``."""

    address: Annotated[
        Line,
        Field(
            min_length=3,
            max_length=254,
            pattern=r"^[^@\s/\\]+@[^@\s/\\]+$",
            description="Mailbox address or user principal name, as the directory has it.",
            examples=["ada@example.com"],
        ),
    ]
    days: Annotated[int, Field(ge=1, le=365, description="Days for which it holds.")] = 30


class InvitationListQuery(PageQuery):
    """Parameters of the list."""

    status: Literal["open", "accepted", "revoked"] | None = None


class InvitationResource(Resource):
    """An invitation. ``user_id`` is the person who accepted it."""

    id: UUID
    address: str
    created_by: str
    status: Literal["open", "accepted", "revoked"]
    user_id: UUID | None
    expires_at: datetime
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, invitation: "Invitation") -> Self:
        """The resource of a row."""
        return cls(**columns_of(invitation, cls, created_by="invited_by", user_id="user_id"))


class MeDefaults(Resource):
    """Defaults of the caller's new archive configurations."""

    time_zone: str
    nightly_at: str
    lookback_days: int


class Me(Resource):
    """The caller as the system knows them; ``user`` is null for a caller who is no user."""

    kind: Literal["person", "application"]
    tenant_id: UUID
    object_id: UUID
    roles: tuple[Literal["User", "Admin", "Auditor"], ...]
    user: UserResource | None
    defaults: MeDefaults
    mailbox: OwnMailboxResource
