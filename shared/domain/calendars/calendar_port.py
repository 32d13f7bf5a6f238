"""The port of calendars: what archiving needs of a store, whichever one it is (domain.md 1).

Its words are calendar, event, copy, write, answer and gone. Two stores implement it: the mailboxes of the
tenants, and the calendars that we keep (``LocalCalendars``). What there is one of for each write is a tuple:
a dataclass costs ten times as much to make.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from shared.domain.copies.calendar_copy import Copy
from shared.domain.events.source_event import SourceEvent
from shared.domain.runs.unread import UnreadEvents

#: So many writes are made at once.
MOST_WRITES = 20


@dataclass(frozen=True, slots=True)
class Calendar:
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


@dataclass(frozen=True, slots=True)
class MasterCategory:
    """A category of a mailbox; ``color`` is ``none`` or ``preset0`` to ``preset24``."""

    id: UUID
    name: str
    color: str


class Verdict(StrEnum):
    """What an answer means for the operation that asked (design.md, Answers).

    Nothing happened for NOT_SENT, THROTTLED, UNAUTHORIZED, BATCH_REFUSED and REFUSED; for UNKNOWN it may have
    happened or still happen.
    """

    DONE = "done"
    NOT_SENT = "not_sent"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    UNAUTHORIZED = "unauthorized"
    DUPLICATE = "duplicate"
    GONE = "gone"
    STALE = "stale"
    REFUSED = "refused"
    BATCH_REFUSED = "batch_refused"


class Write(NamedTuple):
    """One write of a copy; ``payload`` is its body (``copy_body``), byte for byte.

    An update needs ``copy_id``; ``if_match`` is the etag it presumes.
    """

    operation_id: UUID
    kind: Literal["create", "update"]
    payload: bytes
    copy_id: str | None = None
    if_match: str | None = None


class Answer(NamedTuple):
    """What the store said to one write.

    ``retry_after`` is in seconds; ``code`` is the store's own word for a failure (``timeout``,
    ``connection``, ``gone``, …); ``detail`` is for people and holds nothing of the event.
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


def same_for_all(
    writes: Sequence[Write], verdict: Verdict, code: str, retry_after: float | None = None
) -> list[Answer]:
    """One answer for every write."""
    return [Answer(write.operation_id, verdict, retry_after=retry_after, code=code) for write in writes]


class CalendarDirectory(Protocol):
    """Mailboxes and their calendars."""

    async def get_mailbox(self, mailbox: str) -> Mailbox | None:
        """The owner of an address or object id; None if there is none."""
        ...

    async def get_mailbox_purpose(self, mailbox: str) -> str | None:
        """What the mailbox is for: user, shared, room, equipment, …; None if unknown."""
        ...

    async def list_calendars(self, mailbox: str) -> list[Calendar]:
        """Every calendar of a mailbox."""
        ...

    async def create_calendar(self, mailbox: str, name: str) -> Calendar:
        """Make a calendar; raises StoreRefused or Conflict if one of that name exists."""
        ...


class CalendarStore(CalendarDirectory, Protocol):
    """Calendars and the events in them; ``mailbox`` is the owner's Entra object id everywhere."""

    async def get_calendar(self, mailbox: str, calendar_id: str) -> Calendar | None:
        """One calendar; None if the mailbox has none of that id."""
        ...

    async def is_empty(self, mailbox: str, calendar_id: str) -> bool:
        """Whether nothing stands in the calendar, at any time."""
        ...

    def read_window(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[SourceEvent]]:
        """Pages of the events that intersect ``[start, end)``, by start, occurrences expanded.

        What cannot be read is noted in ``unread`` (domain.md 2.12); without it the reading fails.
        """
        ...

    async def get_events(
        self, mailbox: str, calendar_id: str | None, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, SourceEvent | None]:
        """Events by id, None for each that is gone; in ``calendar_id``, or anywhere if None.

        Those that cannot be read are left out and noted in ``unread``; without it the reading fails.
        """
        ...

    async def calendars_of(self, mailbox: str, ids: Sequence[str]) -> dict[str, str | None]:
        """The calendar that each event lies in; None for one that is in none."""
        ...

    async def series_goes_on(self, mailbox: str, series_id: str, start: datetime, end: datetime) -> bool:
        """Whether a series exists and has an occurrence in ``[start, end)``."""
        ...

    async def count_attachments(self, mailbox: str, ids: Sequence[str]) -> dict[str, int]:
        """How many attachments each event has; 0 for an event that is gone."""
        ...

    async def find_copies(self, mailbox: str, calendar_id: str, archive_key: str) -> list[Copy]:
        """The copies that carry an ``ArchiveKey``, oldest first (domain.md 2.6)."""
        ...

    async def get_copy(self, mailbox: str, copy_id: str) -> Copy | None:
        """A copy by its id; None if it is gone."""
        ...

    def read_copies(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[Copy]]:
        """Pages of what stands in an archive calendar in ``[start, end)``, by start (domain.md 2.15)."""
        ...

    async def get_copies(
        self, mailbox: str, calendar_id: str, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, Copy | None]:
        """Events of the archive calendar by id, None for each that is not in it (any more)."""
        ...

    async def send(
        self,
        mailbox: str,
        calendar_id: str,
        writes: Sequence[Write],
        timeout: float,  # noqa: ASYNC109
    ) -> list[Answer]:
        """Make 1 to 20 writes, once; the answers in the order of the writes (design.md, Answers)."""
        ...


class Calendars(Protocol):
    """The calendars of each tenant: nothing is read or written without saying whose."""

    def in_tenant(self, tenant_id: UUID) -> CalendarStore:
        """Those of one tenant."""
        ...
