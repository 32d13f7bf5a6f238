"""What needs a person, in one list (domain.md 2.20)."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.month_attention import AttentionKind
from shared.schemas.base import Day, Resource
from shared.schemas.paging import PageQuery


class AttentionListQuery(PageQuery):
    """Whose, and of which days."""

    user_id: UUID | None = Field(default=None, description="Whose; the caller's own if not given.")
    configuration_id: UUID | None = Field(default=None, description="Only what this archive holds.")
    kind: Annotated[AttentionKind, Field(strict=False)] | None = Field(
        default=None, description="Only what is wrong in this way."
    )
    first_day: Day | None = Field(
        default=None,
        description="First local day; with last_day. If not given: the last days up to today, as many as one "
        "request may ask for, and whatever is open of overlaps, questions and findings before them.",
        examples=["2026-01-01"],
    )
    last_day: Day | None = Field(
        default=None, description="Last local day, included; with first_day.", examples=["2026-01-31"]
    )

    @model_validator(mode="after")
    def _whole_and_ordered(self) -> Self:
        if (self.first_day is None) != (self.last_day is None):
            missing = "first_day" if self.first_day is None else "last_day"
            raise PydanticCustomError("range_incomplete", "name both days", {"field": missing})
        if self.first_day is not None and self.last_day is not None and self.last_day < self.first_day:
            raise PydanticCustomError("range_order", "must not be before first_day", {"field": "last_day"})
        return self


class AttentionResource(Resource):
    """Something that needs its owner. Subjects of another person's private events are never in it (6.3)."""

    id: UUID = Field(description="Names the entry in this list as long as it is about the same events.")
    kind: AttentionKind = Field(description="What is wrong.")
    name: str = Field(description="What it is about: a subject, a category, the events of an overlap.")
    reason: str = Field(description="What is wrong, in words.")
    remedy: str = Field(description="What to do, in words.")
    hours: float = Field(description="The hours at stake.", examples=[1.5])
    count: int = Field(description="How many events it is about.")
    first_start: datetime = Field(description="When the first of its events starts, UTC.")
    last_start: datetime = Field(description="When the last of its events starts, UTC.")
    suggestion: str | None = Field(description="The category that was likely meant; null if none is likely.")
    appointment_ids: list[UUID] = Field(description="Ids of the appointments that it is about.")
    overlap_id: UUID | None = Field(description="Id of the overlap that it is about; null if it is none.")
    action_item_id: UUID | None = Field(description="Id of the question that it is; null if it is none.")
    verification_id: UUID | None = Field(
        description="Id of the verification that found it; null if it is no finding."
    )
    finding_id: UUID | None = Field(description="Id of the finding that it is about; null if it is none.")
    urls: list[str] = Field(
        description="Where it is read and settled: the overlap, the question, the finding's verification, or "
        "each appointment.",
        examples=[["/api/v1/overlaps/6f1e5c0e-1111-4111-8111-111111111111"]],
    )
