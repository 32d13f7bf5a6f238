"""What a job does (domain.md 8.1)."""

from enum import StrEnum


class JobKind(StrEnum):
    """The kind of a job. A configuration has at most one job of each kind."""

    ARCHIVE = "archive"
    BACKFILL = "backfill"
    VERIFY = "verify"
