"""Calendars of our own database behind the port of calendars (domain.md 1)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.models.users import User
from shared.database.repositories.calendars.local_calendars import LocalCalendarRepository
from shared.database.repositories.calendars.local_events import LocalEventRepository
from shared.database.repositories.identity.users import UserRepository
from shared.domain.calendars.calendar_port import (
    MOST_WRITES,
    Calendar,
    Mailbox,
    Write,
    WriteAnswer,
    WriteVerdict,
    same_for_all,
)
from shared.domain.calendars.local_calendar import local_id, local_row, name_key
from shared.domain.copies.calendar_copy import Copy
from shared.domain.events.source_event import SourceEvent
from shared.domain.runs.unread import UnreadEvents
from shared.domain.runs.window import EARLIEST, LATEST
from shared.errors import NotFound, Unavailable
from shared.services.audit.recording import AuditWriter
from shared.services.calendars.local_event_codec import copy_of, source_event_of
from shared.services.calendars.local_writes import LocalWrites
from shared.services.operation.person_limits import refuse_local_calendar
from shared.services.operation.system_settings import SystemSettings

#: Events of one page.
PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class LocalCalendars:
    """The calendars in our database, for each tenant."""

    database: Database
    clock: Clock
    audit: AuditWriter
    settings: SystemSettings

    def in_tenant(self, tenant_id: UUID) -> "LocalCalendarStore":
        """The calendars of one tenant."""
        return LocalCalendarStore(self, tenant_id)


class LocalCalendarStore:
    """A calendar store of one tenant in which everything can be read.

    Raises NotFound with code ``mailbox_not_found`` if the mailbox belongs to no user of the tenant, and
    Unavailable if the database is away.
    """

    def __init__(self, ports: LocalCalendars, tenant_id: UUID) -> None:
        self._database = ports.database
        self._clock = ports.clock
        self._audit = ports.audit
        self._settings = ports.settings
        self._tenant = tenant_id

    async def get_mailbox(self, mailbox: str) -> Mailbox | None:
        """The user of the tenant with this object id or address, or None."""
        async with self._database.session() as session:
            user = await self._user(UserRepository(session), mailbox)
        if user is None:
            return None
        return Mailbox(str(user.object_id), user.address, user.address, user.display_name)

    async def get_mailbox_purpose(self, mailbox: str) -> str | None:
        """Local calendars are kept for people only."""
        return "user"

    async def list_calendars(self, mailbox: str) -> list[Calendar]:
        """The local calendars of the mailbox, by name. None of them is the default one."""
        mailbox_id = _mailbox_id(mailbox)
        if mailbox_id is None:
            return []
        async with self._database.session() as session:
            rows = await LocalCalendarRepository(session).of_mailbox(self._tenant, mailbox_id)
        return [calendar_of(row) for row in rows]

    async def get_calendar(self, mailbox: str, calendar_id: str) -> Calendar | None:
        """One calendar. None if the mailbox has no calendar with this id."""
        mailbox_id, row_id = _mailbox_id(mailbox), local_row(calendar_id)
        if mailbox_id is None or row_id is None:
            return None
        async with self._database.session() as session:
            row = await LocalCalendarRepository(session).get(self._tenant, row_id)
        return calendar_of(row) if row is not None and row.mailbox_id == mailbox_id else None

    async def create_calendar(self, mailbox: str, name: str) -> Calendar:
        """Create a calendar. Raises AlreadyExists (409) if its owner has a local one of that name.

        Raises LimitReached if the owner has as many as the tenant allows.
        """
        now = self._clock.now()
        in_force = await self._settings.of(self._tenant)
        async with self._database.session() as session:
            owner = await self._user(UserRepository(session), mailbox)
            if owner is None:
                raise NotFound("there is no such mailbox in the tenant", code="mailbox_not_found")
            await refuse_local_calendar(session, owner.id, in_force)
            row = await LocalCalendarRepository(session).add(
                LocalCalendar(
                    id=uuid4(),
                    tenant_id=owner.tenant_id,
                    owner_id=owner.id,
                    mailbox_id=owner.object_id,
                    name=name,
                    name_key=name_key(name),
                    version=1,
                    created_at=now,
                    updated_at=now,
                )
            )
            changes = {"after": {"name": name}}
            await self._audit.record(
                session, "local_calendar.created", "local_calendar", row.id, changes, on_behalf_of=owner.id
            )
        return calendar_of(row)

    async def is_empty(self, mailbox: str, calendar_id: str) -> bool:
        """Whether the calendar has no event at any time. Raises NotFound if it is gone."""
        async with aclosing(self._pages(mailbox, calendar_id, EARLIEST, LATEST)) as pages:
            return not await anext(pages)

    async def read_window(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[SourceEvent]]:
        """Pages of the events that intersect ``[start, end)``, by start.

        Raises NotFound for a calendar that the mailbox does not have.
        """
        async with aclosing(self._pages(mailbox, calendar_id, start, end)) as pages:
            async for rows in pages:
                yield [source_event_of(row) for row in rows]

    async def get_events(
        self, mailbox: str, calendar_id: str | None, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, SourceEvent | None]:
        """Events by id, None for each one that is gone. With ``calendar_id``, only from that calendar."""
        rows = await self._by_ids(mailbox, ids, calendar_id)
        found = {local_id(row.id): source_event_of(row) for row in rows}
        return {each: found.get(each) for each in ids}

    async def calendars_of(self, mailbox: str, ids: Sequence[str]) -> dict[str, str | None]:
        """The calendar of each existing event. A deleted event is in none."""
        rows = {local_id(row.id): local_id(row.calendar_id) for row in await self._by_ids(mailbox, ids, None)}
        return {each: rows.get(each) for each in ids}

    async def series_goes_on(self, mailbox: str, series_id: str, start: datetime, end: datetime) -> bool:
        """Always no: local calendars have only single events."""
        return False

    async def count_attachments(self, mailbox: str, ids: Sequence[str]) -> dict[str, int]:
        """Always 0: local events have no attachments."""
        return dict.fromkeys(ids, 0)

    async def find_copies(self, mailbox: str, calendar_id: str, archive_key: str) -> list[Copy]:
        """The copies in the calendar with this ``ArchiveKey``, oldest first (domain.md 2.6)."""
        mailbox_id, row_id = _mailbox_id(mailbox), local_row(calendar_id)
        if mailbox_id is None or row_id is None:
            return []
        async with self._database.session() as session:
            rows = await LocalEventRepository(session).by_archive_key(
                self._tenant, mailbox_id, row_id, archive_key
            )
        return [copy_of(row) for row in rows]

    async def get_copy(self, mailbox: str, copy_id: str) -> Copy | None:
        """A copy by id. None if it is gone."""
        rows = await self._by_ids(mailbox, [copy_id], None)
        return copy_of(rows[0]) if rows else None

    async def read_copies(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[Copy]]:
        """Pages of the events that intersect ``[start, end)``, by start, copies or not. Raises NotFound."""
        async with aclosing(self._pages(mailbox, calendar_id, start, end)) as pages:
            async for rows in pages:
                yield [copy_of(row) for row in rows]

    async def get_copies(
        self, mailbox: str, calendar_id: str, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, Copy | None]:
        """Events of the calendar by id. None for each one that is not in it."""
        rows = await self._by_ids(mailbox, ids, calendar_id)
        found = {local_id(row.id): copy_of(row) for row in rows}
        return {each: found.get(each) for each in ids}

    async def send(
        self,
        mailbox: str,
        calendar_id: str,
        writes: Sequence[Write],
        timeout: float,  # noqa: ASYNC109
    ) -> list[WriteAnswer]:
        """Make 1 to 20 writes in one transaction. Answers are in the order of the writes.

        - A known transaction id answers DUPLICATE, with the event that it created.
        - An update of another version answers STALE, and of a missing event NOT_FOUND.
        - If it is unknown whether the commit happened, all answers are UNKNOWN. If nothing was committed,
          NOT_SENT.

        ``timeout`` is in seconds. Raises ValueError for a malformed batch.
        """
        if not 0 < len(writes) <= MOST_WRITES:
            raise ValueError(f"a batch holds 1 to {MOST_WRITES} requests, not {len(writes)}")
        mailbox_id, row_id = _mailbox_id(mailbox), local_row(calendar_id)
        if mailbox_id is None or row_id is None:
            return same_for_all(writes, WriteVerdict.GONE, "gone")
        committing = False
        try:
            async with asyncio.timeout(timeout), self._database.session() as session:
                answers = await LocalWrites(session, self._clock.now()).make(
                    self._tenant, mailbox_id, row_id, writes
                )
                committing = True
        except TimeoutError:
            return same_for_all(
                writes, WriteVerdict.UNKNOWN if committing else WriteVerdict.NOT_SENT, "timeout"
            )
        except Unavailable as failure:
            if committing:
                return same_for_all(writes, WriteVerdict.UNKNOWN, "connection")
            return same_for_all(writes, WriteVerdict.NOT_SENT, failure.code, failure.retry_after)
        return answers

    async def _pages(
        self, mailbox: str, calendar_id: str, start: datetime, end: datetime
    ) -> AsyncGenerator[list[LocalEvent]]:
        """Read each page in its own transaction, so no connection is held while the caller works."""
        row_id = local_row(calendar_id)
        if row_id is None or await self.get_calendar(mailbox, calendar_id) is None:
            raise NotFound("there is no such calendar any more")
        after: tuple[datetime, UUID] | None = None
        while True:
            async with self._database.session() as session:
                rows = await LocalEventRepository(session).window(row_id, start, end, after, PAGE_SIZE)
            yield rows
            if len(rows) < PAGE_SIZE:
                return
            after = (rows[-1].start_at, rows[-1].id)

    async def _by_ids(self, mailbox: str, ids: Sequence[str], calendar_id: str | None) -> list[LocalEvent]:
        mailbox_id = _mailbox_id(mailbox)
        rows = [row_id for each in ids if (row_id := local_row(each)) is not None]
        within = None if calendar_id is None else local_row(calendar_id)
        if mailbox_id is None or not rows or (calendar_id is not None and within is None):
            return []
        async with self._database.session() as session:
            return await LocalEventRepository(session).of_mailbox(self._tenant, mailbox_id, rows, within)

    async def _user(self, users: UserRepository, mailbox: str) -> User | None:
        mailbox_id = _mailbox_id(mailbox)
        if mailbox_id is None:
            return await users.get_by_address(self._tenant, mailbox)
        return await users.get_by_object_id(self._tenant, mailbox_id)


def calendar_of(row: LocalCalendar) -> Calendar:
    """A local calendar in the form of the port. Its owner may always write to it."""
    return Calendar(id=local_id(row.id), name=row.name, is_default=False, can_edit=True, owner_address="")


def _mailbox_id(mailbox: str) -> UUID | None:
    try:
        return UUID(mailbox)
    except ValueError:
        return None
