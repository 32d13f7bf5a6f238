"""The purpose of an archive, and what it leaves out (domain.md 2.7)."""

from enum import StrEnum

from shared.domain.categories.category import CategoryState, CategoryStatus


class Purpose(StrEnum):
    """The purpose of an archive.

    - ``general``: archives everything.
    - ``timesheet``: archives only billing and travel (domain.md 2.7).
    """

    GENERAL = "general"
    TIMESHEET = "timesheet"


class LeftOut(StrEnum):
    """Why an event is left out: by the purpose (first three) or by overlaps (domain.md 5).

    ``series_changed``: a changed series added it to a day that was archived already (2.17).
    """

    FREE = "free"
    PERSONAL = "personal"
    INVALID_CATEGORY = "invalid_category"
    OVERLAP_RULE = "overlap_rule"
    RESOLUTION = "resolution"
    SERIES_CHANGED = "series_changed"


def left_out(purpose: Purpose, categories: CategoryStatus, show_as: str, *, travel: bool) -> LeftOut | None:
    """Why the purpose leaves an event out. None if it is archived.

    A timesheet takes billing and travel, never ``free`` time (domain.md 2.7). It also takes an ambiguous
    event, because its time is billing time with an open customer. Its hours wait under *ambiguous* (3.3).
    """
    if purpose is Purpose.GENERAL:
        return None
    if show_as == "free":
        return LeftOut.FREE
    if travel or categories.valid:
        return None
    return LeftOut.PERSONAL if categories.state is CategoryState.PERSONAL else LeftOut.INVALID_CATEGORY
