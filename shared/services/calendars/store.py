"""Both calendar stores behind one port (domain.md 1). The id shows to which store it belongs."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from shared.domain.calendars.calendar_port import Answer, Calendar, Calendars, CalendarStore, Mailbox, Write
from shared.domain.calendars.calendar_reference import Store
from shared.domain.calendars.local_calendar import is_local
from shared.domain.copies.calendar_copy import Copy
from shared.domain.events.source_event import SourceEvent
from shared.domain.runs.unread import UnreadEvents


class CalendarStores:
    """Both stores behind the protocol of one."""

    def __init__(self, remote: CalendarStore, local: CalendarStore) -> None:
        self._remote = remote
        self._local = local

    def of(self, store: Store) -> CalendarStore:
        """The store of a reference."""
        return self._local if store == "local" else self._remote

    async def get_mailbox(self, mailbox: str) -> Mailbox | None:
        """From the directory."""
        return await self._remote.get_mailbox(mailbox)

    async def get_mailbox_purpose(self, mailbox: str) -> str | None:
        """From the directory."""
        return await self._remote.get_mailbox_purpose(mailbox)

    async def list_calendars(self, mailbox: str) -> list[Calendar]:
        """The calendars of both stores, mailbox calendars first."""
        return [
            *await self._remote.list_calendars(mailbox),
            *await self._local.list_calendars(mailbox),
        ]

    async def create_calendar(self, mailbox: str, name: str, store: Store = "outlook") -> Calendar:
        """Create a calendar in one of the stores."""
        return await self.of(store).create_calendar(mailbox, name)

    async def get_calendar(self, mailbox: str, calendar_id: str) -> Calendar | None:
        """From the store of the id."""
        return await self._holding(calendar_id).get_calendar(mailbox, calendar_id)

    async def is_empty(self, mailbox: str, calendar_id: str) -> bool:
        """From the store of the id."""
        return await self._holding(calendar_id).is_empty(mailbox, calendar_id)

    def read_window(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[SourceEvent]]:
        """From the store of the calendar's id."""
        return self._holding(calendar_id).read_window(mailbox, calendar_id, start, end, unread)

    async def get_events(
        self, mailbox: str, calendar_id: str | None, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, SourceEvent | None]:
        """Each event from the store of its id."""
        found: dict[str, SourceEvent | None] = {}
        for store, own in self._divided(ids):
            if calendar_id is None or store is self._holding(calendar_id):
                found |= await store.get_events(mailbox, calendar_id, own, unread)
            else:
                # A calendar of one store holds no event of the other.
                found |= dict.fromkeys(own)
        return found

    async def calendars_of(self, mailbox: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Each event from the store of its id."""
        found: dict[str, str | None] = {}
        for store, own in self._divided(ids):
            found |= await store.calendars_of(mailbox, own)
        return found

    async def series_goes_on(self, mailbox: str, series_id: str, start: datetime, end: datetime) -> bool:
        """From the store of the id."""
        return await self._holding(series_id).series_goes_on(mailbox, series_id, start, end)

    async def count_attachments(self, mailbox: str, ids: Sequence[str]) -> dict[str, int]:
        """Each event from the store of its id."""
        counts: dict[str, int] = {}
        for store, own in self._divided(ids):
            counts |= await store.count_attachments(mailbox, own)
        return counts

    async def find_copies(self, mailbox: str, calendar_id: str, archive_key: str) -> list[Copy]:
        """From the store of the calendar's id."""
        return await self._holding(calendar_id).find_copies(mailbox, calendar_id, archive_key)

    async def get_copy(self, mailbox: str, copy_id: str) -> Copy | None:
        """From the store of the id."""
        return await self._holding(copy_id).get_copy(mailbox, copy_id)

    def read_copies(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[Copy]]:
        """From the store of the calendar's id."""
        return self._holding(calendar_id).read_copies(mailbox, calendar_id, start, end, unread)

    async def get_copies(
        self, mailbox: str, calendar_id: str, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, Copy | None]:
        """From the store of the calendar's id. A calendar holds no copies of the other store."""
        holding = self._holding(calendar_id)
        own = [each for each in ids if self._holding(each) is holding]
        held = await holding.get_copies(mailbox, calendar_id, own, unread) if own else {}
        # In the order of the ids. Unreadable events are missing.
        return {each: held.get(each) for each in ids if each in held or each not in own}

    async def send(
        self,
        mailbox: str,
        calendar_id: str,
        writes: Sequence[Write],
        timeout: float,  # noqa: ASYNC109
    ) -> list[Answer]:
        """To the store of the calendar's id."""
        return await self._holding(calendar_id).send(mailbox, calendar_id, writes, timeout)

    def _holding(self, some_id: str) -> CalendarStore:
        return self._local if is_local(some_id) else self._remote

    def _divided(self, ids: Sequence[str]) -> Iterable[tuple[CalendarStore, list[str]]]:
        """Ask only the stores that have any of the ids. Without local calendars, no extra request is made."""
        remote = [each for each in ids if not is_local(each)]
        local = [each for each in ids if is_local(each)]
        if remote:
            yield self._remote, remote
        if local:
            yield self._local, local


class BothCalendars:
    """Both stores of each tenant."""

    def __init__(self, remote: Calendars, local: Calendars) -> None:
        self._remote = remote
        self._local = local

    def in_tenant(self, tenant_id: UUID) -> CalendarStores:
        """Both stores of one tenant."""
        return CalendarStores(self._remote.in_tenant(tenant_id), self._local.in_tenant(tenant_id))
