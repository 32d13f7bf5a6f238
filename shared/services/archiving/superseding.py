"""Supersedes copies: on the owner's word, another copy represents the meeting (domain.md 2.16, 2.17).

``supersede`` plans one operation for each copy. It is a PATCH that shows the copy free and marks it in
``ArchiveSource``. The row becomes ``superseded`` when the write is done. Until then the copy counts. A plan
calls ``supersede`` for the answers of its items.

Sometimes the source key must become free for another meeting, for example a date that a series may show
again. Then ``request_superseding`` stores the owner's word. The next ``Superseding.plan`` gives the row a key
that no source event has, and plans the write.

A modification that was archived alone and then finds its meeting is shown free in the same way (4.6). Its row
becomes ``consumed``.

Every run carries out requests of the last 30 days. Older ones are carried out only by a run whose window has
the row. The write follows the rules of every write. If the owner edited the copy, it is a conflict and stays
until requested again. If they deleted it, it is removed. A locked period refuses it and reports it. A lost
answer is reconciled by the copy's revision. A failed write is retried. A rebuilt calendar gets the copy as
superseded.
"""

from collections.abc import Collection, Mapping
from copy import replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow, SetAside
from shared.database.repositories.archiving.superseding import SupersedingRepository
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.events.revision import superseded_revision
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.context import ArchivingPorts, RunContext

if TYPE_CHECKING:
    from shared.services.archiving.drafting import OperationDrafter

RETRY_FOR: Final = timedelta(days=30)
_CHUNK: Final = 200
_ARCHIVED: Final = (ArchivedEventState.PRESENT, ArchivedEventState.SOURCE_DELETED)


async def supersede(
    session: AsyncSession,
    context: RunContext,
    drafter: "OperationDrafter",
    keys: Collection[str],
    consumed_by: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Plan to show the copies of these source keys as free, so that they count no time.

    ``consumed_by`` has the meetings that consume modifications, by source key (4.6). The copies must have no
    write in flight. A copy that its owner edited is not changed (conflict).
    """
    rows = await context.archived_events(session).by_keys(sorted(keys))
    rows = {
        key: row
        for key, row in rows.items()
        if row.copy_id is not None and row.conflict_revision != superseded_revision(row.revision)
    }
    records = await AppointmentRepository(session).recorded(
        context.owner_id, [row.id for row in rows.values()]
    )
    planned = drafter.superseding(
        {
            key: (row, _to_supersede(records[row.id], row, consumed_by.get(key)))
            for key, row in rows.items()
            if row.id in records
        }
    )
    await context.operations(session).add(context.run_id, planned)


async def show_consumed_free(
    session: AsyncSession, context: RunContext, drafter: "OperationDrafter", aside: Collection[SetAside]
) -> None:
    """Show copies of modifications as free if they were archived before their meetings appeared (4.6)."""
    meetings = {each.source_key: each.merged_into for each in aside if each.merged_into is not None}
    rows = await context.archived_events(session).by_keys(sorted(meetings)) if meetings else {}
    archived = [key for key, row in rows.items() if row.copy_id is not None and row.state in _ARCHIVED]
    if archived:
        await supersede(session, context, drafter, archived, meetings)


async def request_superseding(
    session: AsyncSession,
    ports: ArchivingPorts,
    owner_id: UUID,
    configuration_id: UUID,
    archived_event_ids: Collection[UUID],
    *,
    because: str,
) -> list[UUID]:
    """Request that these archived events are superseded. Returns those that have a copy. Audited.

    ``because`` is the answer or rule, for the audit. The caller queues a run of the rows' windows.
    """
    repository = SupersedingRepository(session, owner_id, configuration_id)
    taken = await repository.request(archived_event_ids, ports.clock.now())
    if taken:
        await ports.audit.record(
            session,
            "archived_event.superseding_requested",
            "archive_configuration",
            configuration_id,
            {"because": because, "archived_events": sorted(map(str, taken))},
            on_behalf_of=owner_id,
        )
    return taken


class Superseding:
    """Plans the requested superseding, for one run."""

    def __init__(
        self,
        ports: ArchivingPorts,
        context: RunContext,
        drafter: "OperationDrafter",
        open_keys: Collection[str],
    ) -> None:
        self._ports = ports
        self._context = context
        self._drafter = drafter
        self._open_keys = open_keys

    async def plan(self, session: AsyncSession) -> int:
        """Plan the writes that are due. Returns how many."""
        repository = SupersedingRepository(session, self._context.owner_id, self._context.configuration_id)
        for row in await repository.attached():
            # A write in flight is reconciled first, because its result uses the key of its plan.
            if row.source_key not in self._open_keys:
                await self._detach(session, row)
        window = self._context.window
        since = self._ports.clock.now() - RETRY_FOR
        planned = 0
        while rows := await repository.due(window.start, window.end, since, _CHUNK):
            keys = [row.source_key for row in rows]
            await supersede(session, self._context, self._drafter, keys)
            planned += len(rows)
            if len(rows) < _CHUNK:
                break
        return planned

    async def _detach(self, session: AsyncSession, row: MapRow) -> None:
        now, day = self._ports.clock.now(), row.start_at.astimezone(self._context.window.zone).date()
        key = await self._context.identities(session).detach(row, day, now)
        await self._context.overlap_places(session).repoint(row.source_key, key)


def _to_supersede(record: AppointmentRecord, row: MapRow, consumed_by: str | None) -> AppointmentRecord:
    gone = row.state is ArchivedEventState.SOURCE_DELETED
    return replace(record, source_gone=gone, owning_start=row.start_at, consumed_by=consumed_by)
