"""Comparing source, record and archive calendar (domain.md 2.15)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: Source and archive calendar are read and compared in ranges of this length.
STRETCH = timedelta(days=31)

#: Why totals differ: counts by reason, for each side.
type Explained = Mapping[str, Mapping[str, int]]


class VerificationState(StrEnum):
    """The state of a verification."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        """True if the state is final."""
        return self not in (VerificationState.QUEUED, VerificationState.RUNNING)


class FindingKind(StrEnum):
    """How source, record and archive calendar differ.

    - ``missing``: archived time without its copy, or without any record.
    - ``doubled``: several copies of one event, written by any configuration.
    - ``edited``: the copy differs from what we wrote.
    - ``unknown``: an event of the archive calendar that we did not write.
    - ``source_changed``: the source changed since it was archived.
    """

    MISSING = "missing"
    DOUBLED = "doubled"
    EDITED = "edited"
    UNKNOWN = "unknown"
    SOURCE_CHANGED = "source_changed"


class FindingReason(StrEnum):
    """The exact finding."""

    COPY_GONE = "copy_gone"
    NOT_ARCHIVED = "not_archived"
    NOT_WRITTEN = "not_written"
    SEVERAL_COPIES = "several_copies"
    CONTENT_DIFFERS = "content_differs"
    COPY_REPLACED = "copy_replaced"
    FOREIGN = "foreign"
    KEY_NOT_IN_RECORD = "key_not_in_record"
    REVISION_DIFFERS = "revision_differs"
    SOURCE_GONE = "source_gone"


class FindingState(StrEnum):
    """What its owner did about it. ``putting_back``: a run was requested, and its end decides."""

    OPEN = "open"
    PUTTING_BACK = "putting_back"
    PUT_BACK = "put_back"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A half-open interval ``[start, end)`` of UTC instants."""

    start: datetime
    end: datetime


def next_stretch(covered: Sequence[Stretch], compared_until: datetime, end: datetime) -> Stretch | None:
    """What to compare after ``compared_until``. None if no archived time is left before ``end``.

    ``covered`` is what runs have planned, in order and without overlaps. Nothing else can be missing.
    """
    for each in covered:
        start = max(each.start, compared_until)
        until = min(each.end, end)
        if start < until:
            return Stretch(start, min(start + STRETCH, until))
    return None


def percent(start: datetime, compared_until: datetime, end: datetime) -> int:
    """How much of ``[start, end)`` is compared, 0 to 99. The report is still to come."""
    return min(99, int(99 * max(compared_until - start, timedelta()) / (end - start)))
