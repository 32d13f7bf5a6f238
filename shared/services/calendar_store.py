"""What archiving and resolving references need of a calendar store, whichever one it is (domain.md 1).

There are two: Microsoft Graph (``shared.graph.calendar_adapter``) and our own database
(``shared.services.local_calendar_store``). ``CalendarStores`` is both: it asks the one that a calendar or an
event belongs to, told by its id.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from shared.domain.calendar_copy import Copy
from shared.domain.calendar_reference import Store
from shared.domain.local_calendar import is_local
from shared.domain.source_event import SourceEvent
from shared.domain.unread import UnreadEvents
from shared.graph.records import Answer, GraphCalendar, Mailbox, Write


class CalendarDirectory(Protocol):
    """Mailboxes and their calendars."""

    async def get_mailbox(self, mailbox: str) -> Mailbox | None:
        """The owner of an address or object id; None if there is none."""
        ...

    async def get_mailbox_purpose(self, mailbox: str) -> str | None:
        """What the mailbox is for, in Graph's words: user, shared, room, equipment, …; None if unknown."""
        ...

    async def list_calendars(self, mailbox: str) -> list[GraphCalendar]:
        """Every calendar of a mailbox."""
        ...

    async def create_calendar(self, mailbox: str, name: str) -> GraphCalendar:
        """Make a calendar; raises GraphRefused or Conflict if one of that name exists."""
        ...


class CalendarStore(CalendarDirectory, Protocol):
    """Calendars and the events in them; ``mailbox`` is the owner's Entra object id everywhere."""

    async def get_calendar(self, mailbox: str, calendar_id: str) -> GraphCalendar | None:
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


class CalendarStores:
    """Both stores behind the protocol of one."""

    def __init__(self, graph: CalendarStore, local: CalendarStore) -> None:
        self._graph = graph
        self._local = local

    def of(self, store: Store) -> CalendarStore:
        """The store that a reference names."""
        return self._local if store == "local" else self._graph

    async def get_mailbox(self, mailbox: str) -> Mailbox | None:
        """As the directory knows it."""
        return await self._graph.get_mailbox(mailbox)

    async def get_mailbox_purpose(self, mailbox: str) -> str | None:
        """As Graph knows it."""
        return await self._graph.get_mailbox_purpose(mailbox)

    async def list_calendars(self, mailbox: str) -> list[GraphCalendar]:
        """The calendars of both stores, Graph's first."""
        return [
            *await self._graph.list_calendars(mailbox),
            *await self._local.list_calendars(mailbox),
        ]

    async def create_calendar(self, mailbox: str, name: str, store: Store = "msgraph") -> GraphCalendar:
        """Make a calendar in one of the stores."""
        return await self.of(store).create_calendar(mailbox, name)

    async def get_calendar(self, mailbox: str, calendar_id: str) -> GraphCalendar | None:
        """From the store whose id it is."""
        return await self._holding(calendar_id).get_calendar(mailbox, calendar_id)

    async def is_empty(self, mailbox: str, calendar_id: str) -> bool:
        """From the store whose id it is."""
        return await self._holding(calendar_id).is_empty(mailbox, calendar_id)

    def read_window(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[SourceEvent]]:
        """From the store whose id the calendar's is."""
        return self._holding(calendar_id).read_window(mailbox, calendar_id, start, end, unread)

    async def get_events(
        self, mailbox: str, calendar_id: str | None, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, SourceEvent | None]:
        """Each event from the store whose id it has."""
        found: dict[str, SourceEvent | None] = {}
        for store, own in self._divided(ids):
            if calendar_id is None or store is self._holding(calendar_id):
                found |= await store.get_events(mailbox, calendar_id, own, unread)
            else:
                # A calendar of the one store holds no event of the other.
                found |= dict.fromkeys(own)
        return found

    async def calendars_of(self, mailbox: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Each event's from the store whose id it has."""
        found: dict[str, str | None] = {}
        for store, own in self._divided(ids):
            found |= await store.calendars_of(mailbox, own)
        return found

    async def series_goes_on(self, mailbox: str, series_id: str, start: datetime, end: datetime) -> bool:
        """From the store whose id it has."""
        return await self._holding(series_id).series_goes_on(mailbox, series_id, start, end)

    async def count_attachments(self, mailbox: str, ids: Sequence[str]) -> dict[str, int]:
        """Each event's from the store whose id it has."""
        counts: dict[str, int] = {}
        for store, own in self._divided(ids):
            counts |= await store.count_attachments(mailbox, own)
        return counts

    async def find_copies(self, mailbox: str, calendar_id: str, archive_key: str) -> list[Copy]:
        """From the store whose id the calendar's is."""
        return await self._holding(calendar_id).find_copies(mailbox, calendar_id, archive_key)

    async def get_copy(self, mailbox: str, copy_id: str) -> Copy | None:
        """From the store whose id it has."""
        return await self._holding(copy_id).get_copy(mailbox, copy_id)

    def read_copies(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[Copy]]:
        """From the store whose id the calendar's is."""
        return self._holding(calendar_id).read_copies(mailbox, calendar_id, start, end, unread)

    async def get_copies(
        self, mailbox: str, calendar_id: str, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, Copy | None]:
        """From the store whose id the calendar's is; no calendar of the one holds a copy of the other."""
        holding = self._holding(calendar_id)
        own = [each for each in ids if self._holding(each) is holding]
        held = await holding.get_copies(mailbox, calendar_id, own, unread) if own else {}
        # In the order of the ids; what could not be read is not among them.
        return {each: held.get(each) for each in ids if each in held or each not in own}

    async def send(
        self,
        mailbox: str,
        calendar_id: str,
        writes: Sequence[Write],
        timeout: float,  # noqa: ASYNC109
    ) -> list[Answer]:
        """To the store whose id the calendar's is."""
        return await self._holding(calendar_id).send(mailbox, calendar_id, writes, timeout)

    def _holding(self, some_id: str) -> CalendarStore:
        return self._local if is_local(some_id) else self._graph

    def _divided(self, ids: Sequence[str]) -> Iterable[tuple[CalendarStore, list[str]]]:
        """Only the stores that have any of the ids: without local calendars nothing more is asked."""
        graph = [each for each in ids if not is_local(each)]
        local = [each for each in ids if is_local(each)]
        if graph:
            yield self._graph, graph
        if local:
            yield self._local, local


class BothCalendars:
    """Both stores of each tenant."""

    def __init__(self, graph: Calendars, local: Calendars) -> None:
        self._graph = graph
        self._local = local

    def in_tenant(self, tenant_id: UUID) -> CalendarStores:
        """Both stores of one tenant."""
        return CalendarStores(self._graph.in_tenant(tenant_id), self._local.in_tenant(tenant_id))
