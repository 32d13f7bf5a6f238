"""Duplicates that take over the copy of their representative (domain.md 2.9)."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.revision import revision, source_revision
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.context import ArchivingPorts, RunContext


async def hand_to_heir(
    session: AsyncSession, ports: ArchivingPorts, context: RunContext, former: MapRow, heir: MapRow
) -> None:
    """Give the heir the row, copy and record of its representative, and its place in overlap groups."""
    now = ports.clock.now()
    overlaps = context.overlaps(session)
    await context.archived_events(session).take_over(former, heir, now)
    await overlaps.repoint(former.source_key, heir.source_key)
    await AppointmentRepository(session).hand_over(context.owner_id, former.id, heir.id)
    await overlaps.follow(heir.source_key, now)
    await ports.audit.record(
        session,
        "archived_event.taken_over",
        "archived_event",
        heir.id,
        {"from": former.source_key, "to": heir.source_key},
        on_behalf_of=context.owner_id,
    )


def inherited_from(row: MapRow, read: ReadEvent) -> str | None:
    """The key of the representative if this event is its unchanged duplicate, else None."""
    if row.state is not ArchivedEventState.MERGED or source_revision(row.revision) != revision(read.event):
        return None
    return row.merged_into


async def without_representative[T](
    session: AsyncSession, context: RunContext, inherited: Mapping[str, tuple[str, T]]
) -> dict[str, T]:
    """Duplicates whose representative's row was given to another event: they are as good as new.

    ``inherited`` has, by source key, the representative's key and something about the duplicate.
    """
    former = sorted({representative for representative, _ in inherited.values()})
    rows = await context.archived_events(session).by_keys(former)
    return {key: each for key, (representative, each) in inherited.items() if representative not in rows}
