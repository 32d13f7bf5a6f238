"""AppointmentRepository."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.appointments import Appointment
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.appointments.appointments import (
    AppointmentFilter,
    AppointmentRepository,
)
from tests.support.factories import START, Factory, record

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def appointments(session: AsyncSession) -> AppointmentRepository:
    return AppointmentRepository(session)


@pytest.fixture
async def configuration(make: Factory) -> ArchiveConfiguration:
    return await make.configuration()


async def _at(
    make: Factory, configuration: ArchiveConfiguration, start: timedelta, length: timedelta, subject: str
) -> Appointment:
    event = await make.archived_event(configuration)
    return await make.appointment(
        event, start_at=START + start, end_at=START + start + length, subject=subject
    )


async def test_the_list_holds_what_intersects_the_half_open_range(
    appointments: AppointmentRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    for start, length, subject in (
        (-HOUR, HOUR, "ends when it starts"),
        (-HOUR, 2 * HOUR, "begins before"),
        (timedelta(0), timedelta(0), "no length at its start"),
        (23 * HOUR, 2 * HOUR, "ends after"),
        (DAY, HOUR, "starts when it ends"),
        (DAY, timedelta(0), "no length at its end"),
        (-DAY, 3 * DAY, "spans it"),
    ):
        await _at(make, configuration, start, length, subject)
    found = await appointments.list(configuration.owner_id, AppointmentFilter(START, START + DAY))
    assert [each.row.subject for each in found] == [
        "spans it",
        "begins before",
        "no length at its start",
        "ends after",
    ]


async def test_the_list_pages_by_start_and_is_narrowed_to_a_configuration(
    appointments: AppointmentRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    owner = configuration.owner_id
    for _ in range(3):
        await _at(make, configuration, HOUR, HOUR, "same start")
    other = await make.configuration(owner_id=owner)
    await _at(make, other, HOUR, HOUR, "other configuration")
    first = await appointments.list(owner, AppointmentFilter(START, START + DAY, configuration.id), None, 2)
    after = (first[-1].row.start_at, first[-1].row.id)
    rest = await appointments.list(owner, AppointmentFilter(START, START + DAY, configuration.id), after, 2)
    assert len({each.row.id for each in first + rest}) == 3
    assert len(await appointments.list(owner, AppointmentFilter(START, START + DAY))) == 4


async def test_nobody_reads_anothers_appointment(
    appointments: AppointmentRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    row = await _at(make, configuration, HOUR, HOUR, "mine")
    stranger = uuid.uuid4()
    assert await appointments.get(configuration.owner_id, row.id) is row
    assert await appointments.get(stranger, row.id) is None
    assert await appointments.list(stranger, AppointmentFilter(START, START + DAY)) == []
    assert await appointments.record_of(stranger, row.archived_event_id) is None


async def test_both_versions_of_an_update_are_told(
    appointments: AppointmentRepository, make: Factory
) -> None:
    configuration = await make.configuration()
    event = await make.archived_event(configuration)
    await make.appointment(event, subject="Before")
    run = await make.run(configuration)
    update = await make.operation(run, event, record=record(subject="After"), action="update")
    create = await make.operation(run)
    versions = await appointments.versions_of_operations(run.owner_id, [update.id, create.id])
    assert set(versions) == {update.id}
    before, after = versions[update.id]
    assert (before.subject, after.subject) == ("Before", "After")
    assert await appointments.versions_of_operations(uuid.uuid4(), [update.id]) == {}
    assert await appointments.versions_of_operations(run.owner_id, []) == {}


async def test_a_vanished_source_is_marked_once_and_the_record_stays(
    appointments: AppointmentRepository,
    make: Factory,
    configuration: ArchiveConfiguration,
    session: AsyncSession,
) -> None:
    row = await _at(make, configuration, HOUR, HOUR, "kept")
    ids, owner = [row.archived_event_id], configuration.owner_id
    assert await appointments.mark_source_deleted(uuid.uuid4(), ids, START) == 0
    assert await appointments.mark_source_deleted(owner, ids, START) == 1
    assert await appointments.mark_source_deleted(owner, ids, START + DAY) == 0
    assert await appointments.mark_source_deleted(owner, [], START) == 0
    await session.refresh(row)
    assert (row.source_deleted_at, row.subject) == (START, "kept")
