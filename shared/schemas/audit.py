"""The audit: who changed what, for whom, and whether the chain is whole (domain.md 7)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.audit.actions import ACTIONS, RESOURCE_TYPES
from shared.schemas.base import Input, Instant, Line, Resource
from shared.schemas.paging import PageQuery, Position


def _known(name: str, values: Iterable[str]) -> AfterValidator:
    """Refuse unknown values, so that a mistyped filter does not look like an empty audit."""
    known = frozenset(values)

    def check(value: str) -> str:
        if value not in known:
            message = f"is no {name} of the audit; GET /api/v1/audit/actions lists them"
            raise PydanticCustomError("not_one_of", "{message}", {"message": message})
        return value

    return AfterValidator(check)


def _listed(values: Iterable[str]) -> dict[str, Any]:
    return {"enum": list(values)}


type ActionName = Annotated[str, _known("action", ACTIONS), Field(json_schema_extra=_listed(ACTIONS))]
type ResourceTypeName = Annotated[
    str, _known("resource type", RESOURCE_TYPES), Field(json_schema_extra=_listed(RESOURCE_TYPES))
]
#: The value of a field: any JSON.
type Held = str | int | float | bool | list[Any] | dict[str, Any] | None
#: The largest number of rows in one answer of the export.
MAX_EXPORT_ROWS = 50_000


class AuditFilters(Input):
    """Selects rows that match every given filter (domain.md 7.4)."""

    window_start: Instant | None = Field(default=None, examples=["2026-01-01T00:00:00Z"])
    window_end: Instant | None = Field(default=None, examples=["2026-02-01T00:00:00Z"])
    user_id: UUID | None = Field(default=None, description="Only what is about the data of this user.")
    appointment_id: UUID | None = Field(
        default=None,
        description="Only what was done to this appointment: by runs, by its owner, and by rules.",
    )
    actor: Line | None = Field(
        default=None,
        description="Only what this actor did.",
        examples=["user:6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "system:archive"],
    )
    action: ActionName | None = Field(
        default=None, description="Only this action.", examples=["archive_configuration.created"]
    )
    resource_type: ResourceTypeName | None = Field(
        default=None, description="Only what was done to this kind of resource.", examples=["archive_run"]
    )
    resource_id: Line | None = Field(default=None, description="Only what was done to this resource.")
    correlation_id: Line | None = Field(
        default=None, description="Only what one request or run caused, by its correlation id."
    )
    outcome: Literal["success", "failure"] | None = Field(
        default=None, description="Only what succeeded, or only what failed."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.window_start and self.window_end and self.window_end <= self.window_start:
            raise PydanticCustomError("range_order", "must be after window_start", {"field": "window_end"})
        return self


class AuditListQuery(PageQuery, AuditFilters):
    """Parameters of the search."""


class AuditExportQuery(AuditFilters):
    """Parameters of the export. A longer one continues at the cursor in the answer."""

    format: Literal["csv", "jsonl"] = Field(
        default="jsonl", description="CSV for spreadsheets, or JSON Lines for programs."
    )
    rows: Annotated[int, Field(ge=1, le=MAX_EXPORT_ROWS, description="Most rows of this answer.")] = 10_000
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None

    @property
    def after(self) -> Position | None:
        """Where the answer starts. Raises ValidationFailed naming ``cursor``."""
        return Position.of(self.cursor)


class AuditActionResource(Resource):
    """An action in the audit."""

    action: str = Field(description="Name of the action.", json_schema_extra=_listed(ACTIONS))
    meaning: str = Field(description="What happened, in words.")


class AuditActions(Resource):
    """All actions and kinds of resources in the audit."""

    items: list[AuditActionResource] = Field(description="Actions in the order of their names.")
    resource_types: list[str] = Field(description="Kinds of resources, as filters take them.")


class FieldChange(Resource):
    """One field that changed."""

    field: str = Field(description="Name of the field.")
    before: Held = Field(description="What it held before; null if it was not there.")
    after: Held = Field(description="What it holds since; null if it is not there any more.")


class AuditEntryResource(Resource):
    """One change. Personal values are readable while the person's key exists, later "[erased]"."""

    id: UUID
    occurred_at: datetime
    actor: str
    user_id: UUID | None
    action: str = Field(
        description="What was done; `GET /api/v1/audit/actions` says what each means.",
        json_schema_extra=_listed(ACTIONS),
    )
    resource_type: str = Field(
        description="Kind of the resource that it was done to.", json_schema_extra=_listed(RESOURCE_TYPES)
    )
    resource_id: str
    appointment_id: UUID | None = Field(
        description="Id of the appointment that it was done to; null if it was done to none."
    )
    outcome: Literal["success", "failure"]
    correlation_id: str
    parent_correlation_id: str | None
    source_ip: str | None
    changes: list[FieldChange] = Field(description="The fields that changed, with what they held.")
    details: dict[str, Any] = Field(description="What else there is to say, by the action.")


class AuditVerificationQuery(Input):
    """A known end of the chain, from an earlier verification: is it still part of the chain?"""

    position: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = Field(
        default=None, description="Position of the known end, with its hash."
    )
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Hash at that position, as an earlier verification told it."
    )

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.position is None) != (self.hash is None):
            missing = "hash" if self.hash is None else "position"
            raise PydanticCustomError("known_end", "position and hash go together", {"field": missing})
        return self


class AuditBreak(Resource):
    """The first broken position.

    - ``known_end``: the chain does not contain the end in the request.
    - ``kept_end``: it does not contain the end in storage, so its newest positions were cut off or rewritten.
    """

    position: int
    audit_id: UUID | None
    reason_code: Literal[
        "missing_position", "broken_link", "missing_row", "changed_row", "known_end", "kept_end"
    ]


class AuditVerification(Resource):
    """Whether the tenant's chain is valid from its first position, and what is not sealed yet."""

    intact: bool
    sealed: int = Field(description="Positions that hold; up to the break if there is one.")
    end_hash: str | None = Field(description="Hash at the last of them: keep it elsewhere.")
    broken: AuditBreak | None
    unsealed: int = Field(description="Rows that wait for the sealer, which comes every minute.")
    oldest_unsealed_at: datetime | None
    checked_at: datetime
