"""What an archive is for, and what it leaves out (domain.md 2.7)."""

from enum import StrEnum

from shared.domain.categories.category import CategoryState, CategoryStatus


class Purpose(StrEnum):
    """``general`` archives everything; ``timesheet`` only billing and travel (domain.md 2.7)."""

    GENERAL = "general"
    TIMESHEET = "timesheet"


class LeftOut(StrEnum):
    """Why an event is left out: the first three by the purpose, the next two by overlaps (domain.md 5).

    ``series_changed``: a changed series put it on a day that was archived already (2.17).
    """

    FREE = "free"
    PERSONAL = "personal"
    INVALID_CATEGORY = "invalid_category"
    OVERLAP_RULE = "overlap_rule"
    RESOLUTION = "resolution"
    SERIES_CHANGED = "series_changed"


def left_out(purpose: Purpose, categories: CategoryStatus, show_as: str, *, travel: bool) -> LeftOut | None:
    """Why the purpose leaves an event out; None if it is archived.

    A timesheet takes billing and travel, never ``free`` time (domain.md 2.7). It takes an ambiguous event,
    too: its time is billing time, only whose is open. Its hours wait under *ambiguous* (3.3).
    """
    if purpose is Purpose.GENERAL:
        return None
    if show_as == "free":
        return LeftOut.FREE
    if travel or categories.valid:
        return None
    return LeftOut.PERSONAL if categories.state is CategoryState.PERSONAL else LeftOut.INVALID_CATEGORY
