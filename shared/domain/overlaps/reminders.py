"""When to remind the owner of a decision that waits (domain.md 2.16, 5.8)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

#: The waiting time before each reminder.
REMIND_AFTER: Final = (timedelta(days=1), timedelta(days=3), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class DueReminder:
    """A reminder that is due. ``number`` counts from 1. ``next_at`` is None after the last one."""

    number: int
    waiting_since: datetime
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StillWaiting:
    """What one reminder tells: how many decisions of an archive wait, the longest since ``since``.

    ``first`` and ``number`` identify the reminder. ``expires_at`` is the next expiry.
    """

    first: UUID
    number: int
    configuration_id: UUID
    zone: ZoneInfo
    count: int
    since: datetime
    expires_at: datetime | None


def due_reminder(remind_at: datetime, sent: int, now: datetime) -> DueReminder | None:
    """The reminder that is due at ``now``. None before ``remind_at``. Instants are UTC.

    ``remind_at`` is when the reminder after the ``sent`` earlier ones is due. If several were missed, only
    the latest is sent.
    """
    if now < remind_at:
        return None
    since = remind_at - REMIND_AFTER[sent]
    passed = sum(since + wait <= now for wait in REMIND_AFTER)
    following = since + REMIND_AFTER[passed] if passed < len(REMIND_AFTER) else None
    return DueReminder(passed, since, following)
