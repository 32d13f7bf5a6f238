"""A window that a caller may give, completely or not at all (domain.md 1)."""

from datetime import datetime
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.base import Input, Instant
from shared.schemas.paging import PageQuery


class WindowWish(Input):
    """The half-open window ``[window_start, window_end)``: both ends or none."""

    window_start: Instant | None = Field(default=None, examples=["2026-01-01T00:00:00Z"])
    window_end: Instant | None = Field(default=None, examples=["2026-02-01T00:00:00Z"])

    @model_validator(mode="after")
    def _whole_and_ordered(self) -> Self:
        if (self.window_start is None) != (self.window_end is None):
            missing = "window_start" if self.window_start is None else "window_end"
            raise PydanticCustomError("range_incomplete", "name both ends of the window", {"field": missing})
        if self.window_start and self.window_end and self.window_end <= self.window_start:
            raise PydanticCustomError("range_order", "must be after window_start", {"field": "window_end"})
        return self


class DatedPageQuery(PageQuery, WindowWish):
    """A list of things with a place in the calendar: all, or those that begin in a half-open window."""

    window_start: Instant | None = Field(
        default=None,
        description="Only what begins at this instant or later; with window_end.",
        examples=["2026-01-01T00:00:00Z"],
    )
    window_end: Instant | None = Field(
        default=None,
        description="Only what begins before this instant; with window_start.",
        examples=["2026-02-01T00:00:00Z"],
    )

    @property
    def begins_in(self) -> tuple[datetime, datetime] | None:
        """The range in which it begins, with an exclusive end. None: anywhere."""
        if self.window_start is None or self.window_end is None:
            return None
        return self.window_start, self.window_end
