"""JSON of a model made without it: for what is read most, building the models costs more than reading.

A test holds what is rendered against its model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Rendered[Model]:
    """What ``Model`` would write as JSON."""

    json: bytes


@dataclass(frozen=True, slots=True)
class RenderedPage[Item]:
    """A page of rendered items; ``following`` is the cursor of the next one, None on the last."""

    items: Sequence[Rendered[Item]]
    following: str | None

    def json(self, following: str | None) -> bytes:
        """The page as JSON, with the cursor of the next one as the caller is to see it."""
        listed = b",".join([item.json for item in self.items])
        return b'{"items":[%b],"next":%b}' % (listed, orjson.dumps(following))
