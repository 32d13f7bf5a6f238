"""A source calendar of any size that holds only one page, for measuring planning alone."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from shared.clock import SystemClock
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.domain.calendars.calendar_port import Calendar
from shared.domain.events.source_event import EventType, SourceEvent
from shared.domain.identity.caller import Caller
from shared.domain.runs.archive_run import RunKind
from shared.domain.runs.unread import UnreadEvents
from shared.graph.calendar_adapter import CalendarAdapter
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.planning import RunPlanner
from shared.settings import Settings

START = datetime(2020, 1, 1, tzinfo=UTC)
_PAGE = 1000
_APART = timedelta(minutes=5)


class GeneratedCalendars:
    """Answers what planning asks of a calendar adapter; events are made as they are read."""

    def __init__(self, events: int, body_bytes: int) -> None:
        self._events = events
        self._body_bytes = body_bytes

    def in_tenant(self, tenant_id: UUID) -> "GeneratedCalendars":
        """The same calendars for each tenant."""
        return self

    async def get_calendar(self, mailbox: str, calendar_id: str) -> Calendar:
        """Any calendar is there."""
        return Calendar(calendar_id, "Archive", False, True, "someone@example.com")

    async def read_window(
        self, mailbox: str, calendar_id: str, start: datetime, end: datetime, unread: UnreadEvents
    ) -> AsyncIterator[list[SourceEvent]]:
        """Pages of a thousand."""
        for first in range(0, self._events, _PAGE):
            yield [self._event(n) for n in range(first, min(first + _PAGE, self._events))]

    async def get_events(
        self, mailbox: str, calendar_id: str | None, ids: Sequence[str], unread: UnreadEvents
    ) -> dict[str, None]:
        """Nothing is found by id: nothing vanished."""
        return dict.fromkeys(ids)

    def _event(self, number: int) -> SourceEvent:
        start = START + number * _APART
        return SourceEvent(
            id=f"event-{number:07}",
            type=EventType.SINGLE_INSTANCE,
            ical_uid=f"uid-{number}",
            change_key=str(number),
            subject=f"Meeting {number}",
            body=f"<p>{number}{'x' * self._body_bytes}</p>",
            body_type="html",
            start=start,
            end=start + timedelta(minutes=4),
            start_zone="UTC",
            end_zone="UTC",
            is_all_day=False,
            location="",
            categories=(),
            show_as="busy",
            importance="normal",
            sensitivity="normal",
        )


async def plan_generated(url: str, events: int, body_bytes: int) -> None:
    """Plan one window of ``events`` generated events on the database at ``url``."""
    from shared import telemetry

    settings = Settings(database_url=url)  # type: ignore[arg-type]
    database = Database(settings)
    calendars = cast(CalendarAdapter, GeneratedCalendars(events, body_bytes))
    tenant, mailbox = uuid4(), uuid4()
    try:
        run_id = await _run(database, tenant, mailbox, START + events * _APART + timedelta(days=1))
        with telemetry.bind(caller=Caller.system(tenant, "benchmark"), correlation="benchmark"):
            counts = await RunPlanner(ArchivingPorts(database, calendars, SystemClock(), settings)).plan(
                run_id
            )
        assert counts.planned == events, counts
    finally:
        await database.close()


async def _run(database: Database, tenant: UUID, mailbox: UUID, end: datetime) -> UUID:
    async with database.session() as session:
        owner = User(
            tenant_id=tenant, object_id=mailbox, address=f"{mailbox}@example.com", display_name="Benchmark"
        )
        session.add(owner)
        await session.flush()
        common: dict[str, Any] = {"tenant_id": tenant, "owner_id": owner.id}
        configuration = ArchiveConfiguration(
            **common,
            name="Benchmark",
            source_reference="",
            source_mailbox_id=mailbox,
            source_calendar_id="source",
            archive_reference="",
            archive_mailbox_id=mailbox,
            archive_calendar_id="archive",
            time_zone="UTC",
            archive_from=START.date(),
        )
        session.add(configuration)
        await session.flush()
        run = ArchiveRun(
            **common,
            configuration_id=configuration.id,
            kind=RunKind.MANUAL,
            window_start=START,
            window_end=end,
            requested_by="system:benchmark",
            correlation_id="benchmark",
        )
        session.add(run)
        await session.flush()
        return run.id
