"""JSON of a model made without it: for what is read most, building the models costs more than reading.

A test holds what is rendered against its model.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from shared.schemas.paging import Page


@dataclass(frozen=True, slots=True)
class Rendered[Model]:
    """What ``Model`` would write as JSON."""

    json: bytes


def render_page[Item](items: Iterable[Rendered[Item]], following: str | None) -> Rendered[Page[Item]]:
    """A page of what is rendered; ``following`` is the cursor of the next one."""
    listed = b",".join([item.json for item in items])
    return Rendered(b'{"items":[%b],"next":%b}' % (listed, orjson.dumps(following)))
