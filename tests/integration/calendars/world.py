"""The world of archiving with calendars of our own as source, as archive, or as both."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.domain.calendars.calendar_port import Answer, Write
from shared.domain.calendars.local_calendar import local_row
from shared.domain.expected_version import ANY_VERSION
from shared.domain.identity.caller import Caller
from shared.errors import Unavailable
from shared.schemas.local_events import LocalEventCreate, LocalEventUpdate
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.service import ArchivingService
from shared.services.audit.recording import AuditWriter
from shared.services.calendars.local_calendar_store import LocalCalendars, LocalCalendarStore
from shared.services.calendars.local_events import LocalEventService
from shared.services.calendars.store import BothCalendars, CalendarStores
from shared.services.operation.system_settings import SystemSettings
from tests.integration.archiving.simulated_mailbox import ADDRESS
from tests.integration.archiving.world import World

type Side = Literal["msgraph", "local"]
type Fault = Literal["before the commit", "after the commit", "killed"]


class HostKilledError(BaseException):
    """The process died here: nothing of ours catches it."""


class Connection:
    """The database, whose connection breaks when told to; each fault happens once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.breaks: Fault | None = None

    @asynccontextmanager
    async def session(self, *, apart: bool = False) -> AsyncIterator[AsyncSession]:
        """A session whose commit may be lost, or its answer."""
        fault, self.breaks = self.breaks, None
        async with self._database.session(apart=apart) as session:
            yield session
            if fault == "before the commit":
                raise Unavailable("The connection to the database broke.", retry_after=0.05)
        if fault == "after the commit":
            raise Unavailable("The connection to the database broke.", retry_after=0.05)


class BreakableCalendars(LocalCalendarStore):
    """Local calendars of which the next ``send`` goes wrong; ``sent`` counts the writes."""

    def __init__(self, ports: LocalCalendars, tenant_id: UUID) -> None:
        self._connection = Connection(ports.database)
        super().__init__(replace(ports, database=cast("Database", self._connection)), tenant_id)
        self.next_fault: Fault | None = None
        self.sent = 0

    async def send(
        self,
        mailbox: str,
        calendar_id: str,
        writes: Sequence[Write],
        timeout: float,  # noqa: ASYNC109
    ) -> list[Answer]:
        """As in the product; the fault comes with the batch's own transaction."""
        fault, self.next_fault = self.next_fault, None
        self._connection.breaks = None if fault == "killed" else fault
        self.sent += len(writes)
        answers = await super().send(mailbox, calendar_id, writes, timeout)
        if fault == "killed":
            raise HostKilledError
        return answers


@dataclass(frozen=True)
class BreakableTenants:
    """The breakable calendars of one tenant, the plain ones of every other."""

    plain: LocalCalendars
    tenant_id: UUID
    breakable: BreakableCalendars

    def in_tenant(self, tenant_id: UUID) -> LocalCalendarStore:
        """Those of one tenant."""
        return self.breakable if tenant_id == self.tenant_id else self.plain.in_tenant(tenant_id)


@dataclass
class LocalWorld(World):
    """A configuration whose source and archive may be calendars of our own."""

    ids: dict[str, str] = field(default_factory=dict)

    async def open_with(
        self, source: Side, archive: Side, events: Sequence[tuple[str, datetime, int]] = ()
    ) -> None:
        """The events in the source calendar of either store."""
        self._local: BreakableCalendars | None = None
        graph = [] if source == "local" else [_graph_event(*each) for each in events]
        await self.open(graph)
        self.owner = Caller.user(self.tenant_id, self.person_id)
        with telemetry.bind(caller=self.owner, correlation="test"):
            for name in ("Diary", "Record"):
                made = await self.local.create_calendar(str(self.person_id), name)
                self.ids[name] = made.id
        async with self.database.session() as session:
            row = await session.get_one(ArchiveConfiguration, self.configuration_id)
            if source == "local":
                row.source_reference = f"local://{ADDRESS}/calendars/Diary"
                row.source_calendar_id = self.ids["Diary"]
            if archive == "local":
                row.archive_reference = f"local://{ADDRESS}/calendars/Record"
                row.archive_calendar_id = self.ids["Record"]
        if source == "local":
            for subject, start, minutes in events:
                await self.write(subject, start, minutes)

    @property
    def local(self) -> BreakableCalendars:
        """Our own calendars."""
        if self._local is None:
            self._local = BreakableCalendars(self.plain_local, self.tenant_id)
        return self._local

    @property
    def plain_local(self) -> LocalCalendars:
        """Our own calendars of every tenant."""
        return LocalCalendars(self.database, self.clock, self.audit, self.system_settings)

    @property
    def audit(self) -> AuditWriter:
        """What writes the audit."""
        return AuditWriter(self.clock, self.person_keys)

    @property
    def stores(self) -> CalendarStores:
        """Both stores behind one protocol."""
        return CalendarStores(self.calendars, self.local)

    def service(self) -> ArchivingService:
        """Another worker's archiving service over both stores."""
        return ArchivingService(
            ArchivingPorts(
                self.database,
                BothCalendars(self.calendars, BreakableTenants(self.plain_local, self.tenant_id, self.local)),
                self.clock,
                self.settings,
                self.person_keys,
            )
        )

    async def write(self, subject: str, start: datetime, minutes: int = 60, **fields: Any) -> UUID:
        """Add an event to the local source as its owner does."""
        wanted = LocalEventCreate(
            subject=subject, start=start, end=start + timedelta(minutes=minutes), **fields
        )
        with telemetry.bind(caller=self.owner, correlation="test"):
            made, _ = await self.diary.create(self.owner, self.row("Diary"), wanted)
        return made.id

    async def rewrite(self, calendar: str, event_id: UUID, **fields: Any) -> None:
        """Change an event as its owner does."""
        with telemetry.bind(caller=self.owner, correlation="test"):
            await self.diary.update(
                self.owner, self.row(calendar), event_id, LocalEventUpdate(**fields), ANY_VERSION
            )

    async def strike(self, calendar: str, event_id: UUID) -> None:
        """Delete an event as its owner does."""
        with telemetry.bind(caller=self.owner, correlation="test"):
            await self.diary.delete(self.owner, self.row(calendar), event_id, ANY_VERSION)

    @property
    def diary(self) -> LocalEventService:
        """What keeps events of local calendars."""
        return LocalEventService(self.database, self.clock, self.settings, self.audit, self.system_settings)

    @property
    def system_settings(self) -> SystemSettings:
        """What the tenant chose."""
        return SystemSettings(self.database, self.clock, self.settings, self.audit)

    def row(self, calendar: str) -> UUID:
        """The row of a local calendar."""
        found = local_row(self.ids[calendar])
        assert found is not None
        return found

    async def local_events(self, calendar: str) -> list[LocalEvent]:
        """What stands in a local calendar, read at the table."""
        async with self.database.session() as session:
            return list(
                (
                    await session.execute(
                        select(LocalEvent)
                        .join(LocalCalendar)
                        .where(LocalCalendar.name == calendar)
                        .order_by(LocalEvent.start_at, LocalEvent.id)
                    )
                ).scalars()
            )

    async def archived(self, archive: Side) -> list[str]:
        """The subjects in the archive, in alphabetical order."""
        if archive == "local":
            return sorted(row.subject for row in await self.local_events("Record"))
        return sorted(copy["subject"] for copy in await self.copies())


def _graph_event(subject: str, start: datetime, minutes: int) -> dict[str, Any]:
    end = start + timedelta(minutes=minutes)
    return {
        "subject": subject,
        "body": {"contentType": "html", "content": f"<p>{subject}</p>"},
        "start": {"dateTime": start.replace(tzinfo=None).isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": end.replace(tzinfo=None).isoformat(), "timeZone": "UTC"},
    }
