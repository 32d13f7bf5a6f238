"""When an overlap that waits reminds its owner (domain.md 5.8)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

#: After how long a wait each reminder is due.
REMIND_AFTER: Final = (timedelta(days=1), timedelta(days=3), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class DueReminder:
    """A reminder that is due. ``number`` counts from 1; ``next_at`` is None after the last one."""

    number: int
    waiting_since: datetime
    next_at: datetime | None


def due_reminder(remind_at: datetime, sent: int, now: datetime) -> DueReminder | None:
    """The one reminder that is due at ``now``; None before ``remind_at``. Instants are UTC.

    ``remind_at`` is when the one that follows the ``sent`` earlier ones is due. Those that were missed are
    made up for by the latest of them alone.
    """
    if now < remind_at:
        return None
    since = remind_at - REMIND_AFTER[sent]
    passed = sum(since + wait <= now for wait in REMIND_AFTER)
    following = since + REMIND_AFTER[passed] if passed < len(REMIND_AFTER) else None
    return DueReminder(passed, since, following)
