"""The state of an archived copy in the map (design.md, Tables)."""

from enum import StrEnum


class ArchivedEventState(StrEnum):
    """The state of a map row.

    - ``merged``: no copy of its own; it points to its representative (domain.md 2.9).
    - ``consumed``: points to the meeting that it modifies (4.6).
    - ``left_out``: not for this archive (2.7, 5.4).
    - ``flagged``: waits for a decision (2.16, 5.3).
    - ``superseded``: the copy stays, shown free, and follows nothing; another copy replaces it (2.4, 2.16,
      2.17).
    """

    CREATING = "creating"
    PRESENT = "present"
    MERGED = "merged"
    REMOVED_BY_OWNER = "removed_by_owner"
    SOURCE_DELETED = "source_deleted"
    CONSUMED = "consumed"
    LEFT_OUT = "left_out"
    FLAGGED = "flagged"
    SUPERSEDED = "superseded"
