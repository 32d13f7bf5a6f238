"""The version of a resource that a change expects (RFC 9110, If-Match)."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import PreconditionFailed


@dataclass(frozen=True, slots=True)
class ExpectedVersion:
    """The acceptable entity tags. None accepts any version."""

    tags: frozenset[str] | None = None

    @classmethod
    def of(cls, tags: Iterable[str]) -> "ExpectedVersion":
        """Accept only this version."""
        return cls(frozenset(tags))

    def check(self, version: int) -> None:
        """Raise PreconditionFailed (412) if the resource has another version."""
        if self.tags is not None and str(version) not in self.tags:
            raise PreconditionFailed("it was changed since it was read; read it again")


#: Accepts any version.
ANY_VERSION = ExpectedVersion()
