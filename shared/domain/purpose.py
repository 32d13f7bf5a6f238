"""What an archive is for (domain.md 2.7)."""

from enum import StrEnum


class Purpose(StrEnum):
    """``general`` archives everything; ``timesheet`` only billing and travel (domain.md 2.7)."""

    GENERAL = "general"
    TIMESHEET = "timesheet"
