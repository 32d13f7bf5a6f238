"""The state of an archived copy as the map knows it (design.md, Tables)."""

from enum import StrEnum


class ArchivedEventState(StrEnum):
    """``merged`` rows have no copy of their own: they point to their representative (domain.md 2.9)."""

    CREATING = "creating"
    PRESENT = "present"
    MERGED = "merged"
    REMOVED_BY_OWNER = "removed_by_owner"
    SOURCE_DELETED = "source_deleted"
