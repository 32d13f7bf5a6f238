"""Approvals to archive another person's mailbox: who approves, and for how long (domain.md 6.5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

DEFAULT_DAYS: Final = 90
MOST_DAYS: Final = 365
#: If there is no other Admin, the approval starts after this time, unless the person objects.
OBJECTION_PERIOD: Final = timedelta(days=7)
_ASK_AGAIN: Final = timedelta(hours=1)
#: A person who did not sign in with the role for this long no longer counts as an Admin.
ROLE_HOLDS_FOR: Final = timedelta(days=30)


class ApprovalState(StrEnum):
    """The state of an approval. Only ``approved`` authorises anything."""

    REQUESTED = "requested"
    APPROVED = "approved"
    OBJECTED = "objected"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    ENDED = "ended"

    @property
    def over(self) -> bool:
        """Whether the state is final."""
        return self not in _OPEN


_OPEN: Final = (ApprovalState.REQUESTED, ApprovalState.APPROVED, ApprovalState.OBJECTED)


def names_another(owner: UUID, persons: Iterable[UUID]) -> bool:
    """Whether owner, source and archive of a configuration belong to different people (object ids)."""
    return any(person != owner for person in persons)


@dataclass(frozen=True, slots=True)
class Parties:
    """Whom an approval concerns, by object id: the owner, the person read, who gets copies."""

    owner: UUID
    read: UUID
    archive: UUID


def authorised_to_decide(decider: UUID | None, parties: Parties) -> bool:
    """Whether this Admin is authorised to approve it.

    It must be a person who gains nothing by it, so never the requester.

    The person read may approve, because it is their mailbox. An application may not.
    """
    gains = {parties.owner, parties.archive} - ({parties.read} - {parties.owner})
    return decider is not None and decider not in gains


def starts_unopposed(requested_at: datetime) -> datetime:
    """When a request starts without a decision, if no other Admin exists."""
    return requested_at + OBJECTION_PERIOD


def starts_after_telling(told_at: datetime | None, now: datetime) -> datetime:
    """When such a request starts: 7 days after its person was notified. If unknown, ask again later."""
    return now + _ASK_AGAIN if told_at is None else starts_unopposed(told_at)


def ends_at(start: datetime, days: int) -> datetime:
    """When an approval of this many days ends."""
    return start + timedelta(days=days)
