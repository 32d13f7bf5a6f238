"""What goes into the adapter and comes out of it.

What there is one of for each write is a tuple: a dataclass costs ten times as much to make.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class GraphCalendar:
    """A calendar of a mailbox."""

    id: str
    name: str
    is_default: bool
    can_edit: bool
    owner_address: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox' owner in the directory; ``id`` is the Entra object id."""

    id: str
    user_principal_name: str
    mail: str
    display_name: str


class Verdict(StrEnum):
    """What an answer means for the operation that asked (design.md, Answers).

    Nothing happened at Graph for NOT_SENT, THROTTLED, UNAUTHORIZED, BATCH_REFUSED and REFUSED; for UNKNOWN it
    may have happened or still happen.
    """

    DONE = "done"
    NOT_SENT = "not_sent"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    UNAUTHORIZED = "unauthorized"
    DUPLICATE = "duplicate"
    NOT_FOUND = "not_found"
    STALE = "stale"
    REFUSED = "refused"
    BATCH_REFUSED = "batch_refused"


class Write(NamedTuple):
    """One write of an archived copy; ``payload`` is the JSON object to send, byte for byte.

    An update needs ``copy_id``; ``if_match`` is the etag it presumes.
    """

    operation_id: UUID
    kind: Literal["create", "update"]
    payload: bytes
    copy_id: str | None = None
    if_match: str | None = None


class Answer(NamedTuple):
    """What Graph said to one write.

    ``retry_after`` is in seconds; ``code`` is Graph's error code or one of ours (``timeout``,
    ``connection``, ``missing_response``, …); ``detail`` is for people and holds nothing of the event.
    ``existing_event_id`` comes with some DUPLICATE answers.
    """

    operation_id: UUID
    verdict: Verdict
    copy_id: str | None = None
    etag: str | None = None
    retry_after: float | None = None
    code: str = ""
    detail: str = ""
    existing_event_id: str | None = None
