"""The version of a resource that a change is meant for (RFC 9110, If-Match)."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import PreconditionFailed


@dataclass(frozen=True, slots=True)
class ExpectedVersion:
    """The entity tags that are acceptable; None is any."""

    tags: frozenset[str] | None = None

    @classmethod
    def of(cls, tags: Iterable[str]) -> "ExpectedVersion":
        """One of these and no other."""
        return cls(frozenset(tags))

    def check(self, version: int) -> None:
        """Raises PreconditionFailed (412) for a resource that is at another version."""
        if self.tags is not None and str(version) not in self.tags:
            raise PreconditionFailed("it was changed since it was read; read it again")


#: Whatever version the resource is at.
ANY_VERSION = ExpectedVersion()
