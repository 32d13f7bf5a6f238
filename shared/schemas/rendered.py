"""JSON of a model without building the model, which costs more than frequent reads.

A test compares the result with the model.
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
    """A page of rendered items. ``following`` is the cursor of the next one, None on the last."""

    items: Sequence[Rendered[Item]]
    following: str | None

    def json(self, following: str | None) -> bytes:
        """The page as JSON, with the next page's cursor in the caller's form."""
        listed = b",".join([item.json for item in self.items])
        return b'{"items":[%b],"next":%b}' % (listed, orjson.dumps(following))
