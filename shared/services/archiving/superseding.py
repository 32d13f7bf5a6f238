"""Superseding copies: on their owner's word another copy stands for the meeting (domain.md 2.16, 2.17).

``supersede`` plans one operation ``supersede`` for each copy: a PATCH that shows it free and marks it in
``ArchiveSource``. The row becomes ``superseded`` when the write is done. Until then the copy counts. A plan
calls it for what its items say.

Where the source key is to be free for another meeting, as of a date that a series may show again,
``request_superseding`` notes the owner's word. The next ``Superseding.plan`` gives the row a key of its own,
so that no source event finds it any more, and plans the write.

A modification that was archived by itself and has its meeting now is shown free in the same way (4.6). Its
row becomes ``consumed``.

Every run carries out what was requested in the last 30 days; after that only one whose window holds the
row. It is a write like any other one. A copy that its owner edited is a conflict and stays, until it is asked
again. A copy that they deleted is removed. A locked period refuses it and reports it. A lost answer is
settled by the copy's revision. A failed write is tried again. A rebuilt calendar gets the copy as superseded
again.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.database.repositories.archiving.superseding import SupersedingRepository
from shared.domain.events.revision import superseded_revision
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.context import ArchivingPorts, RunContext

if TYPE_CHECKING:
    from shared.services.archiving.drafting import OperationDrafter

RETRY_FOR: Final = timedelta(days=30)
_CHUNK: Final = 200


async def supersede(
    session: AsyncSession,
    context: RunContext,
    drafter: "OperationDrafter",
    keys: Collection[str],
    consumed_by: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Plan that the copies of these source keys are shown free and count no time.

    ``consumed_by``: the meetings that consume modifications among them, by source key (4.6). No write of
    them may be under way. A copy that its owner edited meanwhile is left as it is (conflict).
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
    await drafter.add_superseding(
        session,
        {
            key: (row, records[row.id] | _source_of(row) | {"consumed_by": consumed_by.get(key)})
            for key, row in rows.items()
            if row.id in records
        },
    )


async def request_superseding(
    session: AsyncSession,
    ports: ArchivingPorts,
    owner_id: UUID,
    configuration_id: UUID,
    archived_event_ids: Collection[UUID],
    *,
    because: str,
) -> list[UUID]:
    """Note that other copies stand for these archived events; returns those it concerns. Audited.

    ``because`` is the answer or rule, for the audit. The caller queues a run of the rows' windows.
    """
    repository = SupersedingRepository(session, owner_id, configuration_id)
    taken = await repository.request(archived_event_ids, ports.clock.now())
    if taken:
        await ports.audit.record(
            session,
            action="archived_event.superseding_requested",
            resource_type="archive_configuration",
            resource_id=str(configuration_id),
            outcome="success",
            changes={"because": because, "archived_events": sorted(map(str, taken))},
            on_behalf_of=owner_id,
        )
    return taken


class Superseding:
    """Plans what was requested, for one run."""

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
        """Plan the writes that are due; returns how many."""
        repository = SupersedingRepository(session, self._context.owner_id, self._context.configuration_id)
        for row in await repository.attached():
            # A write under way is settled first: its result is that of the key it was planned for.
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
        await self._context.overlaps(session).repoint(row.source_key, key)


def _source_of(row: MapRow) -> dict[str, Any]:
    return {
        "source_gone": row.state is ArchivedEventState.SOURCE_DELETED,
        "owning_start": row.start_at.isoformat(),
    }
