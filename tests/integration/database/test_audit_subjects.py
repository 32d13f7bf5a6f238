"""AuditSubjectRepository."""

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.audit.audit_subjects import AuditSubjectRepository
from tests.support.factories import TENANT, Factory


async def test_an_appointment_is_found_by_its_event_and_by_its_writes(
    session: AsyncSession, make: Factory
) -> None:
    configuration = await make.configuration()
    event, bare = await make.archived_event(configuration), await make.archived_event(configuration)
    appointment = await make.appointment(event)
    run = await make.run(configuration)
    write = await make.operation(run, archived_event_id=event.id)
    await session.flush()
    subjects = AuditSubjectRepository(session)

    trace = await subjects.trace_of(TENANT, appointment.id, configuration.owner_id)

    assert trace is not None
    assert trace.resource_ids == {str(appointment.id), str(event.id), str(write.id)}
    assert trace.runs == {str(run.id)}
    assert trace.operations == {str(write.id)}
    assert await subjects.trace_of(TENANT, appointment.id, uuid.uuid4()) is None
    assert await subjects.trace_of(uuid.uuid4(), appointment.id) is None
    named = await subjects.appointments_of(TENANT, [event.id, bare.id], [write.id])
    assert named == {str(event.id): appointment.id, str(write.id): appointment.id}
    assert await subjects.appointments_of(uuid.uuid4(), [event.id], [write.id]) == {}
