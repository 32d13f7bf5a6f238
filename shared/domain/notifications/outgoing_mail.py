"""Mail to people who are not users: content, retries, and when to give up (10.1)."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

#: After this many attempts a mail is dead. That is about a day of outage.
MOST_ATTEMPTS: Final = 14
_FIRST_DELAY: Final = timedelta(seconds=30)
_LONGEST_DELAY: Final = timedelta(hours=4)
#: A longer wait requested by the mail service is limited to this.
LONGEST_RETRY_AFTER: Final = timedelta(hours=6)


class MailFailed(Exception):
    """One attempt failed. ``retry_after`` is in seconds."""

    def __init__(
        self, code: str, retry_after: float | None, *, may_pass: bool, surely_unsent: bool, refused: bool
    ) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        #: A retry may succeed.
        self.may_pass = may_pass
        #: Certainly nothing was sent.
        self.surely_unsent = surely_unsent
        #: The app has no permission.
        self.refused = refused


class MailState(StrEnum):
    """The state of a mail.

    - ``sending``: an attempt is in progress.
    - ``dead``: it was given up, with an error code.
    """

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to a person, by object id. A second mail with the same ``key`` is not sent.

    Subject and text hold nothing about any event (domain.md 6.3).
    """

    tenant_id: UUID
    person_id: UUID
    key: str
    resource_type: str
    resource_id: UUID
    subject: str
    text: str


def message_id(mail_id: UUID) -> str:
    """The RFC 5322 Message-ID of a mail. It is the same in every attempt, so a sent mail can be found."""
    return f"<{mail_id}@mail.admin-assistant.invalid>"


def wait_before(attempt: int, retry_after: float | None, jitter: float) -> timedelta:
    """The wait after attempt number ``attempt`` (from 1), at least ``retry_after`` seconds.

    ``jitter`` is in ``[0, 1)``. It spreads retries that would otherwise come at the same instant.
    """
    ceiling = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (attempt - 1))
    asked = min(timedelta(seconds=retry_after or 0.0), LONGEST_RETRY_AFTER)
    return max(ceiling * (0.5 + jitter / 2), asked * (1 + jitter / 10))
