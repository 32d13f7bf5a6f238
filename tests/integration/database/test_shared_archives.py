"""Rows that go from one configuration of an owner to another that fills the same archive (domain.md 2.4)."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.appointments import Appointment
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.shared_archives import SharedArchiveRepository
from tests.support.factories import Factory

NOW = datetime(2026, 3, 9, tzinfo=UTC)


async def pair(
    session: AsyncSession, make: Factory
) -> tuple[ArchiveConfiguration, ArchiveConfiguration, ArchivedEvent]:
    """Two configurations of one owner with one archive; a row of the first one with its record."""
    owner = await make.user()
    archive = {"archive_mailbox_id": uuid4(), "archive_calendar_id": "archive", "source_mailbox_id": uuid4()}
    first = await make.configuration(owner, source_calendar_id="first", **archive)
    second = await make.configuration(owner, source_calendar_id="second", **archive)
    row = await make.archived_event(first)
    await make.appointment(row)
    return first, second, row


def of(session: AsyncSession, configuration: ArchiveConfiguration) -> SharedArchiveRepository:
    """The repository of a configuration."""
    return SharedArchiveRepository(session, configuration.owner_id, configuration.id)


async def test_a_row_is_found_and_taken_with_its_record(session: AsyncSession, make: Factory) -> None:
    first, second, row = await pair(session, make)
    found = await of(session, second).elsewhere([row.source_id])
    assert {key: (each.row.id, each.busy) for key, each in found.items()} == {row.source_id: (row.id, False)}
    assert await of(session, first).elsewhere([row.source_id]) == {}
    assert await of(session, first).readers() == {"second": second.id}
    assert await of(session, second).take_over([row.id], second.id, NOW) == {row.id}
    await session.refresh(row)
    assert (row.configuration_id, row.pending_since, row.state) == (second.id, NOW, "present")
    recorded = select(Appointment.configuration_id).where(Appointment.archived_event_id == row.id)
    assert (await session.execute(recorded)).scalar_one() == second.id


async def test_what_is_written_or_known_there_already_stays(session: AsyncSession, make: Factory) -> None:
    first, second, row = await pair(session, make)
    operation = await make.operation(await make.run(first), row, state="planned")
    (found,) = (await of(session, second).elsewhere([row.source_id])).values()
    assert found.busy
    assert await of(session, second).take_over([row.id], second.id, NOW) == set()
    await session.delete(operation)
    await make.archived_event(second, source_key=row.source_key)
    assert await of(session, second).take_over([row.id], second.id, NOW) == set()


async def test_other_archives_mailboxes_and_owners_are_no_siblings(
    session: AsyncSession, make: Factory
) -> None:
    first, second, row = await pair(session, make)
    others: list[UUID] = [(await make.configuration(await make.user())).id]
    second.archive_calendar_id = "another"
    await session.flush()
    assert await of(session, second).elsewhere([row.source_id]) == {}
    assert await of(session, first).readers() == {}
    for other in others:
        stranger = SharedArchiveRepository(session, uuid4(), other)
        assert await stranger.elsewhere([row.source_id]) == {}
        assert await stranger.take_over([row.id], other, NOW) == set()
