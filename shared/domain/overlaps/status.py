"""The life of a stored group of overlapping events (domain.md 5.3, 5.5, 5.8, 5.9)."""

from enum import StrEnum


class OverlapStatus(StrEnum):
    """``recorded``: everything is kept, offered for resolution. ``resolved``: by rule. ``flagged``: its owner
    has to decide. ``settled``: its owner did. ``expired``: nobody did in time, all is kept and marked
    unresolved. ``closed``: nothing overlaps any more. ``merged``: it is part of another group now.
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
        """Whether the group says nothing about any event any more."""
        return self in (OverlapStatus.CLOSED, OverlapStatus.MERGED)

    @property
    def decided(self) -> bool:
        """Whether what it says of its members binds as long as they stay as they are (domain.md 5.9)."""
        return self in (OverlapStatus.SETTLED, OverlapStatus.EXPIRED)


class Exclusion(StrEnum):
    """Why an archived event does not count as time, though its copy stays: its meeting took it in as a
    modification (domain.md 4.6), the owner's resolution of an overlap leaves it out (5.5), or another copy
    stands for its meeting (2.16).
    """

    CONSUMED = "consumed"
    RESOLUTION = "resolution"
    SUPERSEDED = "superseded"
