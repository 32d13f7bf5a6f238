"""What happens to a person's data when they leave (domain.md 15), and the results of adding in bulk."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

#: After this time, the person who requested an erasure may also confirm it (domain.md 15.3).
ALONE_AFTER: Final = timedelta(days=7)


class ExportState(StrEnum):
    """The state of an export of a person's data."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


class ErasureState(StrEnum):
    """The state of an erasure. ``erasing`` cannot be undone."""

    REQUESTED = "requested"
    WITHDRAWN = "withdrawn"
    ERASING = "erasing"
    FAILED = "failed"
    COMPLETED = "completed"


class ErasureStep(StrEnum):
    """The steps of an erasure, in order. Each may be repeated."""

    STOP = "stop"
    WAIT = "wait"
    COPIES = "copies"
    HISTORY = "history"
    STORAGE = "storage"
    ROWS = "rows"
    MENTIONS = "mentions"
    KEY = "key"
    PERSON = "person"

    @property
    def following(self) -> "ErasureStep | None":
        """The next step. None after the last."""
        steps = list(ErasureStep)
        place = steps.index(self) + 1
        return steps[place] if place < len(steps) else None


class BulkOutcome(StrEnum):
    """The result of adding in bulk for one entry."""

    WOULD_ADD = "would_add"
    ADDED = "added"
    EXISTS = "exists"
    REACTIVATABLE = "reactivatable"
    REACTIVATED = "reactivated"
    INVALID_ADDRESS = "invalid_address"
    UNKNOWN_MAILBOX = "unknown_mailbox"
    NO_MAILBOX = "no_mailbox"
    NO_ACCESS = "no_access"
    GUEST = "guest"
    DUPLICATE = "duplicate"
    FAILED = "failed"
