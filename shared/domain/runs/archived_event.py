"""The state of an archived copy as the map knows it (design.md, Tables)."""

from enum import StrEnum


class ArchivedEventState(StrEnum):
    """``merged`` rows have no copy of their own: they point to their representative (domain.md 2.9).

    ``consumed`` ones point to the meeting they modify (4.6), ``left_out`` ones are not for this archive
    (2.7, 5.4), ``flagged`` ones wait for a decision (2.16, 5.3). The copy of a ``superseded`` one stays,
    shown free, and follows nothing any more: another copy stands for the meeting (2.4, 2.16, 2.17).
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
