"""The states of a stored group of overlapping events (domain.md 5.3, 5.5, 5.8, 5.9)."""

from enum import StrEnum
from typing import NotRequired, TypedDict


class StoredResolution(TypedDict):
    """How a group was resolved. ``action`` is what its owner chose."""

    status: str
    kept: list[str]
    action: NotRequired[str]


class OverlapStatus(StrEnum):
    """The state of a group of overlapping events.

    - ``recorded``: everything is kept and offered for resolution.
    - ``resolved``: resolved by rule.
    - ``flagged``: its owner must decide.
    - ``settled``: its owner decided.
    - ``expired``: nobody decided in time, so everything is kept and marked unresolved.
    - ``closed``: nothing overlaps any more.
    - ``merged``: it is part of another group now.
    """

    RECORDED = "recorded"
    RESOLVED = "resolved"
    FLAGGED = "flagged"
    SETTLED = "settled"
    EXPIRED = "expired"
    CLOSED = "closed"
    MERGED = "merged"

    @property
    def over(self) -> bool:
        """Whether the group no longer says anything about its events."""
        return self in (OverlapStatus.CLOSED, OverlapStatus.MERGED)

    @property
    def decided(self) -> bool:
        """Whether its decision is binding while its members stay unchanged (domain.md 5.9)."""
        return self in (OverlapStatus.SETTLED, OverlapStatus.EXPIRED)


class Exclusion(StrEnum):
    """Why an archived event does not count as time although its copy stays.

    - ``consumed``: its meeting consumed it as a modification (domain.md 4.6).
    - ``resolution``: the owner's resolution of an overlap leaves it out (5.5).
    - ``superseded``: another copy represents its meeting (2.16).
    """

    CONSUMED = "consumed"
    RESOLUTION = "resolution"
    SUPERSEDED = "superseded"
