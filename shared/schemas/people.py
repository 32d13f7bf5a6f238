"""Adding people in bulk, legal holds, offboarding, exports and erasures (domain.md 15)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.people.departure import ALONE_AFTER, ErasureState, ErasureStep
from shared.schemas.base import Input, Line, Resource, columns_of
from shared.schemas.paging import PageQuery

if TYPE_CHECKING:
    from shared.database.models.people import UserErasure, UserExport

type Address = Annotated[Line, Field(max_length=254, examples=["ada@example.com"])]


class BulkAdd(Input):
    """Whom to add: a list of addresses, or an Entra group with its nested groups."""

    addresses: Annotated[list[Address], Field(min_length=1, max_length=1000)] | None = None
    group_id: UUID | None = Field(default=None, description="Object id of an Entra group.")
    dry_run: bool = Field(default=False, description="Only say what would become of each entry.")
    reactivate: bool = Field(default=False, description="Also reactivate who was deactivated.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.addresses is None) == (self.group_id is None):
            raise PydanticCustomError("either_or", "name either addresses or a group", {"field": "addresses"})
        return self


class BulkEntry(Resource):
    """The actual or expected result for one entry. ``reason_code`` says why it failed."""

    address: str
    display_name: str
    object_id: UUID | None
    user_id: UUID | None
    outcome: Literal[
        "would_add",
        "added",
        "exists",
        "reactivatable",
        "reactivated",
        "invalid_address",
        "unknown_mailbox",
        "no_mailbox",
        "no_access",
        "guest",
        "duplicate",
        "failed",
    ]
    reason_code: str | None

    @classmethod
    def of(cls, entry: object) -> Self:
        """The resource of an entry."""
        return cls(**columns_of(entry, cls, reason_code="code"))


class BulkResultResource(Resource):
    """Every entry in the order of the request or of the group, and the number with each result."""

    dry_run: bool
    outcomes: dict[str, int]
    items: list[BulkEntry]


class OffboardingResource(Resource):
    """The person's work that was stopped. Their archive stays."""

    user_id: UUID
    offboarded_at: datetime
    runs_cancelled: int = Field(description="Runs that had not begun.")
    runs_ending: int = Field(
        description="Runs that reconcile what they sent and end before their next batch."
    )
    verifications_ended: int
    jobs_paused: int
    overlaps_expiring: int = Field(
        description="Overlaps that waited for the person's decision: all of their events are archived."
    )
    action_items_expiring: int = Field(
        description="Questions that waited for an answer and have a default: it holds from now on."
    )
    deactivated: bool = Field(description="Whether the person was active until now.")
    export: str = Field(description="Path at which a last export of the person's data is asked for.")


class LegalHoldWish(Input):
    """Why nothing of the person may be erased."""

    reason: Line


class LegalHoldResource(Resource):
    """A hold on a person's data."""

    user_id: UUID
    reason: str
    created_at: datetime


class ExportWish(Input):
    """What an export contains, if an Admin requests another person's."""

    private_events: bool = Field(
        default=False,
        description="Whether it holds the person's private events whole; an Admin needs an open emergency "
        "access for it (403 `break_glass_needed`). A person's own export holds them in any case.",
    )


class UserExportResource(Resource):
    """An export of everything we store about a person. ``progress`` counts files of the archive."""

    id: UUID
    user_id: UUID
    status: Literal["queued", "running", "ready", "failed"]
    requested_by: str
    break_glass_id: UUID | None = Field(
        description="The emergency access by which an Admin's export holds the person's private events."
    )
    parts_done: int
    parts_total: int
    rows: int
    size_bytes: int | None
    sha256: str | None
    reason: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, export: "UserExport") -> Self:
        """The resource of a row."""
        return cls(**columns_of(export, cls, reason="failure"))


class UserExportContentQuery(Input):
    """Where in the file the returned part begins."""

    offset: int = Field(default=0, ge=0, le=2**50, description="Where the part begins, in bytes.")


class ErasureListQuery(PageQuery):
    """Selects erasures of the tenant."""

    user_id: UUID | None = Field(
        default=None, description="Only those of this person, who may be gone by now."
    )
    status: Annotated[ErasureState, Field(strict=False)] | None = Field(
        default=None, description="requested: those that nobody confirmed yet."
    )
    confirmable: bool | None = Field(
        default=None,
        description="true: only those that the caller may confirm now. An Admin may not confirm what they "
        "asked for themself, until 7 days have passed.",
    )


class ErasureWish(Input):
    """What to erase besides everything that we store."""

    remove_copies: bool = Field(
        default=False,
        description="Also delete the copies in the archive calendars; they then lie in Deleted Items.",
    )


class UserErasureResource(Resource):
    """An erasure. ``preview`` and ``report`` count rows by table, files, copies and histories."""

    id: UUID
    user_id: UUID
    status: Literal["requested", "withdrawn", "erasing", "failed", "completed"]
    step: ErasureStep
    remove_copies: bool
    requested_by: str
    confirmed_by: str | None
    confirmable_alone_at: datetime = Field(
        description="From then on the Admin who asked for it may confirm it, too."
    )
    preview: dict[str, int | dict[str, int]]
    report: dict[str, int | dict[str, int]]
    reason: str | None
    created_at: datetime
    confirmed_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, erasure: "UserErasure") -> Self:
        """The resource of a row."""
        alone_at = erasure.created_at + ALONE_AFTER
        report = {key: value for key, value in erasure.report.items() if not key.endswith("_place")}
        given = columns_of(erasure, cls, "confirmable_alone_at", "report", reason="failure")
        return cls(**given, confirmable_alone_at=alone_at, report=report)
