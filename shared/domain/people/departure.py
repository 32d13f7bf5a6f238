"""States of what happens to a person's data when he leaves (domain.md 15), and what bulk add finds."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

#: Who asked for an erasure may confirm it himself after this time (domain.md 15.3).
ALONE_AFTER: Final = timedelta(days=7)


class ExportState(StrEnum):
    """Where an export of a person's data is."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


class ErasureState(StrEnum):
    """Where an erasure is; ``erasing`` cannot be turned back."""

    REQUESTED = "requested"
    WITHDRAWN = "withdrawn"
    ERASING = "erasing"
    FAILED = "failed"
    COMPLETED = "completed"


class ErasureStep(StrEnum):
    """What an erasure does, in this order; each may be done again."""

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
        """The next one; None after the last."""
        steps = list(ErasureStep)
        place = steps.index(self) + 1
        return steps[place] if place < len(steps) else None


class BulkOutcome(StrEnum):
    """What bulk add finds of one entry, or did with it."""

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
