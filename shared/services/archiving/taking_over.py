"""Events that moved to a calendar that another configuration archives into the same archive (2.4).

That configuration takes over row and copy, even if the other one plans first. So there is no second copy.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archived_events import MapRow
from shared.database.repositories.archiving.shared_archives import SharedArchiveRepository
from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.meeting_facts import GoneRow
from shared.services.archiving.context import ArchivingPorts, RunContext


class TakingOver:
    """Moves rows between configurations of one owner."""

    def __init__(self, ports: ArchivingPorts, context: RunContext) -> None:
        self._ports = ports
        self._context = context

    def _shared(self, session: AsyncSession) -> SharedArchiveRepository:
        return SharedArchiveRepository(session, self._context.owner_id, self._context.configuration_id)

    async def take(self, session: AsyncSession, rows: Mapping[str, MapRow]) -> set[str]:
        """Take rows of other configurations for events of this one, by key. Returns the keys taken."""
        if not rows:
            return set()
        await self._context.identities(session).absorb({key: row.id for key, row in rows.items()})
        own = self._context.configuration_id
        taken = await self._hand_over(session, [row.id for row in rows.values()], own)
        return {key for key, row in rows.items() if row.id in taken}

    async def give(
        self, session: AsyncSession, rows: Mapping[str, MapRow], places: Mapping[str, str]
    ) -> set[str]:
        """Give rows to the configurations that read the calendars of their events now. Returns those given.

        ``places`` are these calendars, by source id.
        """
        readers = await self._shared(session).readers()
        given: set[str] = set()
        for calendar, reader in readers.items():
            there = {key: row for key, row in rows.items() if places.get(row.source_id) == calendar}
            if there:
                taken = await self._hand_over(session, [row.id for row in there.values()], reader)
                given |= {key for key, row in there.items() if row.id in taken}
        return given

    async def moved(
        self, rows: Mapping[str, MapRow], events: Mapping[str, SourceEvent], met: Collection[str]
    ) -> dict[str, str]:
        """The calendars, by source id, of events that no page showed and another configuration may read."""
        unmet = [rows[key].source_id for key in events if rows[key].source_id not in met]
        if not unmet:
            return {}
        async with self._ports.database.session() as session:
            if not await self._shared(session).readers():
                return {}
        places = await self._ports.calendars.in_tenant(self._context.tenant_id).calendars_of(
            self._context.source_mailbox, unmet
        )
        return {key: place for key, place in places.items() if place is not None}

    async def left_here(self, rows: Iterable[GoneRow], places: Mapping[str, str | None]) -> list[GoneRow]:
        """The rows whose events went to calendars that no configuration archives into the same place.

        ``places`` are the calendars of events by source id. Only what is certainly the same meeting gets such
        a row (2.16).
        """
        away = {each for each in places.values() if each not in (None, self._context.source_calendar_id)}
        if not away:
            return []
        async with self._ports.database.session() as session:
            away -= (await self._shared(session).readers()).keys()
        return [replace(row, only_certain=True) for row in rows if places.get(row.facts.source_id) in away]

    async def _hand_over(self, session: AsyncSession, rows: Collection[UUID], into: UUID) -> set[UUID]:
        taken = await self._shared(session).take_over(list(rows), into, self._ports.clock.now())
        if taken:
            await self._ports.audit.record(
                session,
                "archived_event.handed_over",
                "archive_configuration",
                into,
                {"archived_events": sorted(map(str, taken))},
                on_behalf_of=self._context.owner_id,
            )
        return taken
