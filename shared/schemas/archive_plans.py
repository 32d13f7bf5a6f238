"""The dry run of an archive configuration: what a run would do (design.md, Plan)."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.base import Input, Instant, Resource


class ArchivePlanQuery(Input):
    """The half-open window ``[window_start, window_end)``; without it, what the next night would archive."""

    window_start: Instant | None = Field(default=None, examples=["2026-01-01T00:00:00Z"])
    window_end: Instant | None = Field(default=None, examples=["2026-02-01T00:00:00Z"])
    limit: Annotated[int, Field(ge=0, le=1000, description="Most events that are named.")] = 200

    @model_validator(mode="after")
    def _whole_and_ordered(self) -> Self:
        if (self.window_start is None) != (self.window_end is None):
            missing = "window_start" if self.window_start is None else "window_end"
            raise PydanticCustomError("window_incomplete", "name both ends of the window", {"field": missing})
        if self.window_start and self.window_end and self.window_end <= self.window_start:
            raise PydanticCustomError("window_order", "must be after window_start", {"field": "window_end"})
        return self


class PlannedEvent(Resource):
    """What would become of an event; ``archived_start`` and ``archived_end`` where modifications move it."""

    key: str
    action: str
    subject: str
    start: datetime
    end: datetime
    archived_start: datetime | None
    archived_end: datetime | None
    merged_into: str | None
    reason: str | None


class PlannedOverlap(Resource):
    """A group of overlapping events and what the policy makes of it."""

    status: str
    start: datetime
    end: datetime
    keys: list[str]


class ArchivePlan(Resource):
    """What a run of the window would do now. Nothing was written.

    ``counts`` are events of the window by action; ``events`` those with anything to do, by start, of which
    ``more`` were left out. ``unseen`` were archived from the window and moved or vanished since.
    """

    window_start: datetime
    window_end: datetime
    counts: dict[str, int]
    modifications_applied: int
    orphan_modifications: int
    category_issues: int
    unseen: int
    overlaps: list[PlannedOverlap]
    events: list[PlannedEvent]
    more: int
