"""Archive runs: one execution for one configuration and one window (domain.md 1, 2.11, 2.13)."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.base import Input, Instant, Resource


class ArchiveRunStart(Input):
    """The window ``[window_start, window_end)``; both or neither. Without it: what the next night would do."""

    window_start: Instant | None = Field(default=None, examples=["2026-01-01T00:00:00Z"])
    window_end: Instant | None = Field(default=None, examples=["2026-02-01T00:00:00Z"])

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.window_start is None) != (self.window_end is None):
            missing = "window_start" if self.window_start is None else "window_end"
            raise PydanticCustomError(
                "window_incomplete", "give both ends of the window or neither", {"field": missing}
            )
        if self.window_start and self.window_end and self.window_end <= self.window_start:
            raise PydanticCustomError("window_order", "must be after window_start", {"field": "window_end"})
        return self


class ArchiveRunResource(Resource):
    """A run; ``report`` holds the counts of domain.md 2.13 once it is finished."""

    id: UUID
    configuration_id: UUID
    user_id: UUID = Field(validation_alias="owner_id")
    kind: str
    mode: str
    window_start: datetime
    window_end: datetime
    state: str
    cancel_requested: bool
    requested_by: str
    correlation_id: str
    report: dict[str, Any] | None
    graph_requests: int
    round_trips: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
