"""Reads a calendar for somebody who may see only the times of private events (6.3, 6.5).

Events are masked when they are read. So nothing private can reach a plan, a record, an operation or a hash.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shared.domain.calendars.calendar_port import Calendar, Calendars, CalendarStore
from shared.domain.events.source_event import SourceEvent
from shared.domain.identity.disclosure import masked_event
from shared.domain.runs.unread import UnreadEvents
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.calendars.store import CalendarStores


class MaskedCalendars(CalendarStores):
    """A calendar store that masks private events. Everything else passes unchanged."""

    def __init__(self, inner: CalendarStore) -> None:
        super().__init__(inner, inner)
        self._inner = inner

    async def list_calendars(self, mailbox: str) -> list[Calendar]:
        """Every calendar of a mailbox."""
        return await self._inner.list_calendars(mailbox)

    async def read_window(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[SourceEvent]]:
        """Pages of the events that intersect ``[start, end)``, masked."""
        async with aclosing(self._inner.read_window(mailbox, calendar_id, start, end, unread)) as pages:
            async for page in pages:
                yield [masked_event(event) for event in page]

    async def get_events(
        self, mailbox: str, calendar_id: str | None, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, SourceEvent | None]:
        """Events by id, masked. None for each event that is gone."""
        found = await self._inner.get_events(mailbox, calendar_id, ids, unread)
        return {key: None if event is None else masked_event(event) for key, event in found.items()}


@dataclass(frozen=True, slots=True)
class MaskedTenants:
    """The calendars of each tenant, masked."""

    inner: Calendars

    def in_tenant(self, tenant_id: UUID) -> MaskedCalendars:
        """The masked calendars of one tenant."""
        return MaskedCalendars(self.inner.in_tenant(tenant_id))


def masked(ports: ArchivingPorts) -> ArchivingPorts:
    """The ports for work that may not read private events."""
    return replace(ports, calendars=MaskedTenants(ports.calendars))


def reading_for(ports: ArchivingPorts, context: RunContext) -> ArchivingPorts:
    """The ports that a run of the configuration reads its source with (domain.md 6.5)."""
    return masked(ports) if context.masked else ports


def previewing_for(ports: ArchivingPorts, context: RunContext, viewer: UUID | None) -> ArchivingPorts:
    """The ports of a dry run for ``viewer``. Only the person whose events are read sees them whole.

    The plan is made from what the viewer may see, so no setting can reveal more (domain.md 6.3).
    """
    return ports if viewer == context.origin_id else masked(ports)
