"""Approvals to archive another person's mailbox (domain.md 6.5)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from shared.domain.approvals.mailbox_approval import DEFAULT_DAYS, MOST_DAYS
from shared.schemas.base import Input, Line, Resource, columns_of
from shared.schemas.paging import PageQuery

if TYPE_CHECKING:
    from shared.database.models.mailbox_approvals import MailboxApproval

type ApprovalStatusName = Literal[
    "requested", "approved", "objected", "refused", "withdrawn", "lapsed", "ended"
]
type Days = Annotated[int, Field(ge=1, le=MOST_DAYS, description="For how many days it holds.")]
type Reason = Annotated[
    Line, Field(max_length=500, examples=["The person left; their cases are taken over."])
]


class ApprovalRequest(Input):
    """How long the requested approval lasts."""

    days: Days = DEFAULT_DAYS


class Approving(Input):
    """An Admin's approval. A reason is required if the person read objected, and is shown to them."""

    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = Field(
        default=None, description="For how many days it holds; as asked for if null."
    )
    reason: Reason | None = None


class Reasoned(Input):
    """Why."""

    reason: Reason


class ObjectionDecision(Reasoned):
    """Another Admin's decision about an objection. The person read is told the reason."""

    goes_on: bool


class Agreement(Input):
    """What the person read agrees to."""

    details: bool = Field(
        default=False, description="Whether it may hold their private events whole, not the times alone."
    )


class AssistantName(Input):
    """The assistant for requests about the caller's mailbox. null: nobody."""

    assistant_id: UUID | None = Field(description="Entra object id of a person of the tenant.")


class ApprovalListQuery(PageQuery):
    """Selects approvals."""

    status: ApprovalStatusName | None = None


class MailboxApprovalResource(Resource):
    """What a configuration may read of whose mailbox, into which archive, why and until when.

    ``person_id`` and ``archive_person_id`` are object ids. ``starts_at``: no other Admin exists, so it starts
    at that time unless the person read objects.
    """

    id: UUID
    configuration_id: UUID
    user_id: UUID
    person_id: UUID
    archive_person_id: UUID
    source_mailbox_id: UUID
    source_calendar_id: str
    archive_mailbox_id: UUID
    archive_calendar_id: str
    purpose: Literal["general", "timesheet"]
    days: int
    status: ApprovalStatusName
    requested_by: str
    starts_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    expires_at: datetime | None
    reason: str | None
    details_agreed_at: datetime | None
    objected_by: str | None
    objected_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, approval: "MailboxApproval") -> Self:
        """The resource of a row."""
        return cls(**columns_of(approval, cls, expires_at="ends_at"))


class OwnMailboxResource(Resource):
    """Open requests about the caller's and their principals' mailboxes, and the assistant."""

    read_by: list[MailboxApprovalResource]
    assistant_id: UUID | None
