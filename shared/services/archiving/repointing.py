"""Gives a row of the map and its copy to the event that is the same meeting (domain.md 2.16, 2.17)."""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.planning.meeting_facts import MeetingFacts
from shared.domain.planning.same_meeting import MatchStep
from shared.services.archiving.context import ArchivingPorts, RunContext


async def repoint(
    session: AsyncSession,
    ports: ArchivingPorts,
    context: RunContext,
    row: MapRow,
    step: MatchStep,
    facts: MeetingFacts,
) -> None:
    """Give the row and its copy to the new event."""
    now, window = ports.clock.now(), context.window
    new = row._replace(
        source_key=facts.key,
        source_id=facts.source_id,
        ical_uid=facts.ical_uid,
        original_start=facts.slot,
        series_id=facts.series,
    )
    # For an event of another window only the map changes. The run of that window writes the copy.
    write = window.start <= row.start_at < window.end
    # The series is known from now on, not since the single event was archived (2.17).
    entered_by = context.run_id if row.series_id is None else None
    await context.identities(session).repoint(row, new, now, write=write, entered_by=entered_by)
    places = context.overlap_places(session)
    await places.take_place(row.source_key, facts.key, now)
    await places.follow(facts.key, now)
    await AppointmentRepository(session).mark_source_present(context.owner_id, [row.id])
    await ports.audit.record(
        session,
        "archived_event.repointed",
        "archived_event",
        row.id,
        {
            "step": str(step),
            "before": {"source_key": row.source_key, "source_id": row.source_id},
            "after": {"source_key": facts.key, "source_id": facts.source_id},
        },
        on_behalf_of=context.owner_id,
    )
