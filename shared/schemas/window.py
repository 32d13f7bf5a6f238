"""A window that a caller may name, wholly or not at all (domain.md 1)."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.base import Input, Instant


class WindowWish(Input):
    """The half-open window ``[window_start, window_end)``: both ends or none, which each wish explains."""

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
