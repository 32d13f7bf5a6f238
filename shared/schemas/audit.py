"""The audit: who changed what, for whom, and whether the record of it is whole (domain.md 7)."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.base import Input, Instant, Line, Resource
from shared.schemas.paging import PageQuery, Position

#: Most rows of one answer of the export.
MAX_EXPORT_ROWS = 50_000


class AuditFilters(Input):
    """What a search is narrowed to; every filter given must be met (domain.md 7.4)."""

    window_start: Instant | None = Field(default=None, examples=["2026-01-01T00:00:00Z"])
    window_end: Instant | None = Field(default=None, examples=["2026-02-01T00:00:00Z"])
    user_id: UUID | None = Field(default=None, description="On whose behalf.")
    actor: Line | None = Field(
        default=None, examples=["user:6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "system:archive"]
    )
    action: Line | None = Field(default=None, examples=["archive_configuration.created"])
    resource_type: Line | None = Field(default=None, examples=["archive_run"])
    resource_id: Line | None = None
    correlation_id: Line | None = None
    outcome: Literal["success", "failure"] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.window_start and self.window_end and self.window_end <= self.window_start:
            raise PydanticCustomError("range_order", "must be after window_start", {"field": "window_end"})
        return self


class AuditListQuery(PageQuery, AuditFilters):
    """Parameters of the search."""


class AuditExportQuery(AuditFilters):
    """Parameters of the export; a longer one goes on at the cursor that the answer names."""

    format: Literal["csv", "jsonl"] = "jsonl"
    rows: Annotated[int, Field(ge=1, le=MAX_EXPORT_ROWS, description="Most rows of this answer.")] = 10_000
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None

    @property
    def after(self) -> Position | None:
        """Where the answer starts; raises ValidationFailed naming ``cursor``."""
        return Position.of(self.cursor)


class AuditEntryResource(Resource):
    """One change. Personal values are readable as long as the person's key exists, then "[erased]"."""

    id: UUID
    occurred_at: datetime
    actor: str
    user_id: UUID | None
    action: str
    resource_type: str
    resource_id: str
    outcome: Literal["success", "failure"]
    correlation_id: str
    parent_correlation_id: str | None
    source_ip: str | None
    changes: dict[str, Any]


class AuditVerificationQuery(Input):
    """A known end of the chain, kept from an earlier verification: is it still part of it?"""

    position: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.position is None) != (self.hash is None):
            missing = "hash" if self.hash is None else "position"
            raise PydanticCustomError("known_end", "position and hash go together", {"field": missing})
        return self


class AuditBreak(Resource):
    """The first position that does not hold.

    ``known_end``: the chain does not hold the end that the caller asked about. ``kept_end``: it does not hold
    the end that is kept in storage, so its newest positions were cut off or rewritten.
    """

    position: int
    audit_id: UUID | None
    reason_code: Literal[
        "missing_position", "broken_link", "missing_row", "changed_row", "known_end", "kept_end"
    ]


class AuditVerification(Resource):
    """Whether the tenant's chain holds from its first position, and what is not sealed yet."""

    intact: bool
    sealed: int = Field(description="Positions that hold; up to the break if there is one.")
    end_hash: str | None = Field(description="Hash at the last of them: keep it elsewhere.")
    broken: AuditBreak | None
    unsealed: int = Field(description="Rows that wait for the sealer, which comes every minute.")
    oldest_unsealed_at: datetime | None
    checked_at: datetime
