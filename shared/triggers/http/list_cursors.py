"""Cursors of lists: each is tied to its list, the filters and the caller.

A service makes and reads the plain cursor, which says where a page ended. The caller sees it with a digest
of the request that it came from. With another list, other filters or another caller it is refused: it would
start somewhere in the wrong list. The digest is no secret, since a forged cursor reaches nothing new: every
service checks again what the caller may read.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from shared.domain.identity.caller import Caller
from shared.errors import FieldError, ValidationFailed
from shared.schemas import base

#: Parameters that a caller may change from page to page: they say how much, not what.
_FREE: Final = frozenset({"cursor", "limit", "rows"})
_DIGEST_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class ListIdentity:
    """What a cursor is tied to: path of the list, its filters (query and body), and who asks."""

    path: str
    query: "base.Input"
    body: "base.Input"
    caller: Caller | None

    def seal(self, cursor: str) -> str:
        """The cursor as the caller sees it."""
        return f"{cursor}.{self._digest()}"

    def seal_next(self, answer: Any) -> Any:
        """The answer with its ``next`` sealed; any other answer as it is."""
        following = getattr(answer, "next", None)
        if not isinstance(following, str):
            return answer
        return answer.model_copy(update={"next": self.seal(following)})

    def opened[Model: base.Input](self, asked: Model) -> Model:
        """Query or body with its plain cursor.

        Raises ValidationFailed naming ``cursor`` if it comes from another list, filter or caller.
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
