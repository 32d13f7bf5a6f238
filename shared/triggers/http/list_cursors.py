"""Cursors of lists. Each is bound to its list, the filters and the caller.

A service makes and reads the plain cursor, which says where a page ended. The caller sees it with a digest of
its request. With another list, other filters or another caller it is refused, because it would start at a
wrong place. The digest is no secret. A forged cursor reveals nothing, because every service checks again what
the caller may read.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from shared.domain.identity.caller import Caller
from shared.errors import FieldError, ValidationFailed
from shared.schemas import base

#: Parameters that may change from page to page: they say how much, not what.
_FREE: Final = frozenset({"cursor", "limit", "rows"})
_DIGEST_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class ListIdentity:
    """What a cursor is bound to: path of the list, its filters (query and body), and the caller."""

    path: str
    query: "base.Input"
    body: "base.Input"
    caller: Caller | None

    def seal(self, cursor: str) -> str:
        """The cursor in the caller's form."""
        return f"{cursor}.{self._digest()}"

    def seal_next(self, answer: Any) -> Any:
        """The answer with its ``next`` sealed. Any other answer is unchanged."""
        following = getattr(answer, "next", None)
        if not isinstance(following, str):
            return answer
        return answer.model_copy(update={"next": self.seal(following)})

    def opened[Model: base.Input](self, asked: Model) -> Model:
        """Query or body with its plain cursor.

        Raises ValidationFailed naming ``cursor`` if it belongs to another list, filter or caller.
        """
        cursor = getattr(asked, "cursor", None)
        if not isinstance(cursor, str):
            return asked
        plain, _, digest = cursor.rpartition(".")
        if digest != self._digest():
            raise ValidationFailed(
                [FieldError("cursor", "is not a cursor of this list with these filters", "cursor_invalid")]
            )
        return asked.model_copy(update={"cursor": plain})

    def _digest(self) -> str:
        caller = f"{self.caller.tenant_id}/{self.caller.actor}" if self.caller is not None else ""
        filters = [each.model_dump_json(exclude=set(_FREE)) for each in (self.query, self.body)]
        told = "\n".join([self.path.lower(), caller, *filters])
        return hashlib.sha256(told.encode()).hexdigest()[:_DIGEST_LENGTH]
