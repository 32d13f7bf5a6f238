"""Mail to people who are no users here: what is sent, how often it is tried, when it is given up (10.1)."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

#: After so many tries a mail is dead: about a day of an outage.
MOST_ATTEMPTS: Final = 14
_FIRST_DELAY: Final = timedelta(seconds=30)
_LONGEST_DELAY: Final = timedelta(hours=4)
#: A longer wait that the mail service asks for is cut to this.
LONGEST_RETRY_AFTER: Final = timedelta(hours=6)


class MailFailed(Exception):
    """One try came to nothing. ``retry_after`` is in seconds.

    ``may_pass``: another try may succeed; a sender that is refused can be put right meanwhile.
    ``surely_unsent``: nothing left. ``refused``: the app has no right to it.
    """

    def __init__(
        self, code: str, retry_after: float | None, *, may_pass: bool, surely_unsent: bool, refused: bool
    ) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        self.may_pass = may_pass
        self.surely_unsent = surely_unsent
        self.refused = refused


class MailState(StrEnum):
    """How a mail stands. ``sending``: somebody tries; ``dead``: it was given up, with an error code."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to a person, by object id; the same ``key`` again is the same mail and is not sent twice.

    Subject and text hold nothing of any event (domain.md 6.3).
    """

    tenant_id: UUID
    person_id: UUID
    key: str
    resource_type: str
    resource_id: UUID
    subject: str
    text: str


def message_id(mail_id: UUID) -> str:
    """The RFC 5322 Message-ID of a mail, the same at every try: by it a sent one is found again."""
    return f"<{mail_id}@mail.admin-assistant.invalid>"


def wait_before(attempt: int, retry_after: float | None, jitter: float) -> timedelta:
    """How long to wait after the try ``attempt`` (from 1); never less than ``retry_after`` (seconds).

    ``jitter`` lies in ``[0, 1)``: those who were told the same instant do not come back together.
    """
    ceiling = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (attempt - 1))
    asked = min(timedelta(seconds=retry_after or 0.0), LONGEST_RETRY_AFTER)
    return max(ceiling * (0.5 + jitter / 2), asked * (1 + jitter / 10))
