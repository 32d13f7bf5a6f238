"""Copies that others stand for from now on, on their owner's word (domain.md 2.4, 2.16, 2.17)."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments import AppointmentRepository
from shared.domain.revision import superseded_revision
from shared.services.archiving.context import RunContext

if TYPE_CHECKING:
    from shared.services.archiving.drafting import OperationDrafter


async def supersede(
    session: AsyncSession, context: RunContext, drafter: "OperationDrafter", keys: Collection[str]
) -> None:
    """Plan that the copies of these source keys are shown free and count no time.

    No write of them may be under way. A copy that its owner edited meanwhile is left as it is (conflict).
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
        session, {key: (row, records[row.id]) for key, row in rows.items() if row.id in records}
    )
