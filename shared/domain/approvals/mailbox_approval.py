"""Archiving another person's mailbox: who approves it, and how long that holds (domain.md 6.5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

DEFAULT_DAYS: Final = 90
MOST_DAYS: Final = 365
#: Where there is no other Admin it starts after this time, unless the person read objects.
OBJECTION_PERIOD: Final = timedelta(days=7)
_ASK_AGAIN: Final = timedelta(hours=1)
#: Who did not sign in with the role for this long is not counted as an Admin any more.
ROLE_HOLDS_FOR: Final = timedelta(days=30)


class ApprovalState(StrEnum):
    """How an approval stands; only an ``approved`` one lets anything run."""

    REQUESTED = "requested"
    APPROVED = "approved"
    OBJECTED = "objected"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    ENDED = "ended"

    @property
    def over(self) -> bool:
        """Whether nothing more can become of it."""
        return self not in _OPEN


_OPEN: Final = (ApprovalState.REQUESTED, ApprovalState.APPROVED, ApprovalState.OBJECTED)


def names_another(owner: UUID, persons: Iterable[UUID]) -> bool:
    """Whether a configuration's owner, source and archive are not one person's; all are object ids."""
    return any(person != owner for person in persons)


@dataclass(frozen=True, slots=True)
class Parties:
    """Whose affair an approval is, by object id: the configuration's owner, who is read, who gets copies."""

    owner: UUID
    read: UUID
    archive: UUID


def may_decide(decider: UUID | None, parties: Parties) -> bool:
    """Whether an Admin may approve it: a person, and nobody who gains by it. Nobody approves themself.

    The person read may: it is their mailbox. An application decides nothing.
    """
    gains = {parties.owner, parties.archive} - ({parties.read} - {parties.owner})
    return decider is not None and decider not in gains


def starts_unopposed(requested_at: datetime) -> datetime:
    """When a request starts by itself where no other Admin is there to decide it."""
    return requested_at + OBJECTION_PERIOD


def starts_after_telling(told_at: datetime | None, now: datetime) -> datetime:
    """When an unopposed request starts: 7 days after its person was told; unknown yet, it is asked again."""
    return now + _ASK_AGAIN if told_at is None else starts_unopposed(told_at)


def ends_at(start: datetime, days: int) -> datetime:
    """When an approval of so many days ends."""
    return start + timedelta(days=days)
