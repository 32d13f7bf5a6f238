"""Cursor paging: ``{"items": […], "next": …}``; ``next`` is opaque and null on the last page."""

from typing import Annotated

from pydantic import Field

from shared.schemas.base import Input, Resource

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class PageQuery(Input):
    """Parameters of every list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None


class Page[T](Resource):
    """One page in a stable order."""

    items: list[T]
    next: str | None
