"""The port of calendars: what archiving needs from a calendar store (domain.md 1).

Its words are calendar, event, copy, write, answer and gone. Two stores implement it: the mailboxes of the
tenants, and our own calendars (``LocalCalendars``). Types that exist once for each write are tuples, because
creating a dataclass takes ten times as long.
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

#: The largest number of writes in one call.
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
    """The owner of a mailbox in the directory. ``id`` is the Entra object id."""

    id: str
    user_principal_name: str
    mail: str
    display_name: str


@dataclass(frozen=True, slots=True)
class MasterCategory:
    """A category of a mailbox; ``color`` is ``none`` or ``preset0`` to ``preset24``."""

    id: UUID
    name: str
    #: ``none`` or ``preset0`` to ``preset24``.
    color: str


class WriteVerdict(StrEnum):
    """What an answer means for the operation (design.md, Answers).

    Nothing happened after NOT_SENT, THROTTLED, UNAUTHORIZED, BATCH_REFUSED and REFUSED. After UNKNOWN, the
    effect may have happened or may still happen.
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
    """One write of a copy."""

    operation_id: UUID
    kind: Literal["create", "update"]
    #: Its body (``copy_body``), byte for byte.
    payload: bytes
    #: Required for an update.
    copy_id: str | None = None
    #: The etag that the update expects.
    if_match: str | None = None


class WriteAnswer(NamedTuple):
    """The store's answer to one write."""

    operation_id: UUID
    verdict: WriteVerdict
    copy_id: str | None = None
    etag: str | None = None
    #: In seconds.
    retry_after: float | None = None
    #: The store's own code of a failure (``timeout``, ``connection``, ``gone``, …).
    code: str = ""
    #: For people. It holds nothing of the event.
    detail: str = ""
    #: Part of some DUPLICATE answers.
    existing_event_id: str | None = None


def same_for_all(
    writes: Sequence[Write], verdict: WriteVerdict, code: str, retry_after: float | None = None
) -> list[WriteAnswer]:
    """The same answer for every write."""
    return [WriteAnswer(write.operation_id, verdict, retry_after=retry_after, code=code) for write in writes]


class CalendarDirectory(Protocol):
    """Mailboxes and their calendars."""

    async def get_mailbox(self, mailbox: str) -> Mailbox | None:
        """The owner of an address or object id; None if there is none."""
        ...

    async def get_mailbox_purpose(self, mailbox: str) -> str | None:
        """The purpose of the mailbox: user, shared, room, equipment, …. None if unknown."""
        ...

    async def list_calendars(self, mailbox: str) -> list[Calendar]:
        """Every calendar of a mailbox."""
        ...

    async def create_calendar(self, mailbox: str, name: str) -> Calendar:
        """Create a calendar. Raises StoreRefused or Conflict if the name is taken."""
        ...


class CalendarStore(CalendarDirectory, Protocol):
    """Calendars and their events. ``mailbox`` is always the owner's Entra object id."""

    async def get_calendar(self, mailbox: str, calendar_id: str) -> Calendar | None:
        """One calendar. None if the mailbox has no calendar with this id."""
        ...

    async def is_empty(self, mailbox: str, calendar_id: str) -> bool:
        """Whether the calendar has no event at any time."""
        ...

    def read_window(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[SourceEvent]]:
        """Pages of the events that intersect ``[start, end)``, by start, with occurrences expanded.

        Unreadable events are added to ``unread`` (domain.md 2.12). Without ``unread``, the reading fails.
        """
        ...

    async def get_events(
        self, mailbox: str, calendar_id: str | None, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, SourceEvent | None]:
        """Events by id, None for each one that is gone. With ``calendar_id``, only from that calendar.

        Unreadable events are left out and added to ``unread``. Without ``unread``, the reading fails.
        """
        ...

    async def calendars_of(self, mailbox: str, ids: Sequence[str]) -> dict[str, str | None]:
        """The calendar of each event. None for an event in no calendar."""
        ...

    async def series_goes_on(self, mailbox: str, series_id: str, start: datetime, end: datetime) -> bool:
        """Whether a series exists and has an occurrence whose original start is in ``[start, end)``."""
        ...

    async def count_attachments(self, mailbox: str, ids: Sequence[str]) -> dict[str, int]:
        """The number of attachments of each event. 0 for an event that is gone."""
        ...

    async def find_copies(self, mailbox: str, calendar_id: str, archive_key: str) -> list[Copy]:
        """The copies with this ``ArchiveKey``, oldest first (domain.md 2.6)."""
        ...

    async def get_copy(self, mailbox: str, copy_id: str) -> Copy | None:
        """A copy by id. None if it is gone."""
        ...

    def read_copies(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[Copy]]:
        """Pages of the events of an archive calendar in ``[start, end)``, by start (domain.md 2.15)."""
        ...

    async def get_copies(
        self, mailbox: str, calendar_id: str, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, Copy | None]:
        """Events of the archive calendar by id. None for each one that is not in it."""
        ...

    async def send(
        self,
        mailbox: str,
        calendar_id: str,
        writes: Sequence[Write],
        timeout: float,  # noqa: ASYNC109
    ) -> list[WriteAnswer]:
        """Send 1 to 20 writes, once. Answers are in the order of the writes (design.md, Answers)."""
        ...


class Calendars(Protocol):
    """The calendars of each tenant. Every read and write names its tenant."""

    def in_tenant(self, tenant_id: UUID) -> CalendarStore:
        """The calendars of one tenant."""
        ...
