"""What needs a person, in one list (domain.md 2.20)."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.months.attention import AttentionKind
from shared.schemas.base import Day
from shared.schemas.months import MonthAttention
from shared.schemas.paging import PageQuery


class AttentionListQuery(PageQuery):
    """Whose, and on which days."""

    user_id: UUID | None = Field(default=None, description="Whose; the caller's own if not given.")
    configuration_id: UUID | None = Field(default=None, description="Only what this archive holds.")
    kind: Annotated[AttentionKind, Field(strict=False)] | None = Field(
        default=None, description="Only what is wrong in this way."
    )
    first_day: Day | None = Field(
        default=None,
        description="First local day; with last_day. If not given: the last days up to today, as many as one "
        "request may ask for. Then open overlaps, questions and findings before them are listed, too.",
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


class AttentionResource(MonthAttention):
    """Something that needs its owner. It never has subjects of another person's private events (6.3)."""

    id: UUID = Field(description="Names the entry in this list as long as it is about the same events.")
    urls: list[str] = Field(
        description="Where to resolve it: the overlap, the question, the finding's verification, or "
        "each appointment.",
        examples=[["/api/v1/overlaps/6f1e5c0e-1111-4111-8111-111111111111"]],
    )
