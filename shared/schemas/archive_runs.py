"""Archive runs: one execution for one configuration and one window (domain.md 1, 2.11, 2.13)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.base import Input, Instant, Resource

if TYPE_CHECKING:
    from shared.database.models import ArchiveRun

_PROBLEM_FIELDS = ("source_key", "action", "state", "error_code", "error_detail")


class ArchiveRunStart(Input):
    """The half-open window ``[window_start, window_end)``; without it, what the next night would archive."""

    window_start: Instant | None = Field(default=None, examples=["2026-01-01T00:00:00Z"])
    window_end: Instant | None = Field(default=None, examples=["2026-02-01T00:00:00Z"])

    @model_validator(mode="after")
    def _whole_and_ordered(self) -> Self:
        if (self.window_start is None) != (self.window_end is None):
            missing = "window_start" if self.window_start is None else "window_end"
            raise PydanticCustomError("window_incomplete", "name both ends of the window", {"field": missing})
        if self.window_start and self.window_end and self.window_end <= self.window_start:
            raise PydanticCustomError("window_order", "must be after window_start", {"field": "window_end"})
        return self


class RunProblem(Resource):
    """A write that did not happen, or whose effect is not known yet, and why (domain.md 2.12)."""

    operation_id: UUID
    source_key: str
    action: str
    state: str
    error_code: str | None
    error_detail: str | None


class ArchiveRunResource(Resource):
    """A run; ``report`` holds the counts of domain.md 2.13 once it is finished."""

    id: UUID
    configuration_id: UUID
    user_id: UUID
    kind: str
    mode: str
    window_start: datetime
    window_end: datetime
    state: str
    cancel_requested: bool
    requested_by: str
    correlation_id: str
    writes_planned: int
    writes_done: int
    problems: list[RunProblem]
    report: dict[str, Any] | None
    graph_requests: int
    round_trips: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(
        cls,
        run: "ArchiveRun",
        *,
        writes_planned: int = 0,
        writes_done: int = 0,
        problems: Iterable[Mapping[str, Any]] = (),
    ) -> Self:
        """The resource of a row; ``problems`` are rows of its operations."""
        return cls(
            id=run.id,
            configuration_id=run.configuration_id,
            user_id=run.owner_id,
            kind=run.kind,
            mode=run.mode,
            window_start=run.window_start,
            window_end=run.window_end,
            state=run.state,
            cancel_requested=run.cancel_requested,
            requested_by=run.requested_by,
            correlation_id=run.correlation_id,
            writes_planned=writes_planned,
            writes_done=writes_done,
            problems=[
                RunProblem(operation_id=row["id"], **{key: row[key] for key in _PROBLEM_FIELDS})
                for row in problems
            ],
            report=run.report,
            graph_requests=run.graph_requests,
            round_trips=run.round_trips,
            created_at=run.created_at,
            started_at=run.started_at,
            finished_at=run.finished_at,
        )
