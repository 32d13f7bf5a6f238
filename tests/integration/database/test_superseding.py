"""SupersedingRepository."""

import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.superseding import SupersedingRepository
from shared.domain.events.revision import superseded_revision
from shared.domain.runs.archived_event import ArchivedEventState
from tests.support.factories import START, Factory

HOUR = timedelta(hours=1)
NOW = START + 10 * HOUR


@pytest.fixture
async def configuration(make: Factory) -> ArchiveConfiguration:
    return await make.configuration()


@pytest.fixture
def events(session: AsyncSession, configuration: ArchiveConfiguration) -> SupersedingRepository:
    return SupersedingRepository(session, configuration.owner_id, configuration.id)


async def due(events: SupersedingRepository, since: datetime = NOW) -> list[str]:
    """Keys of what a run of the hour is to write."""
    return [row.source_key for row in await events.due(START, START + HOUR, since, 10)]


async def test_only_what_may_count_is_superseded_and_only_by_its_owner(
    events: SupersedingRepository,
    make: Factory,
    configuration: ArchiveConfiguration,
    session: AsyncSession,
) -> None:
    made = {
        state: await make.archived_event(configuration, source_key=f"s:{state}", state=state)
        for state in ArchivedEventState
    }
    stranger = SupersedingRepository(session, uuid.uuid4(), configuration.id)
    ids = [row.id for row in made.values()]
    assert await stranger.request(ids, NOW) == []
    taken = await events.request(ids, NOW)
    assert {state for state, row in made.items() if row.id in taken} == {
        ArchivedEventState.CREATING,
        ArchivedEventState.PRESENT,
        ArchivedEventState.SOURCE_DELETED,
    }
    assert [row.source_key for row in await events.attached()] == [
        "s:creating",
        "s:present",
        "s:source_deleted",
    ]
    assert await stranger.attached() == []
    assert await events.request([], NOW) == []


async def test_what_is_due_has_a_copy_and_a_key_of_its_own_and_no_write_in_progress(
    events: SupersedingRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    gone, later = ArchivedEventState.SOURCE_DELETED, START + 5 * HOUR
    rows = {
        "s:due@2026": await make.archived_event(configuration, source_key="s:due@2026", state=gone),
        "s:key": await make.archived_event(configuration, source_key="s:key", state=gone),
        "s:later@2026": await make.archived_event(configuration, source_key="s:later@2026", start_at=later),
        "s:open@2026": await make.archived_event(configuration, source_key="s:open@2026"),
        "s:no copy@2026": await make.archived_event(configuration, source_key="s:no copy@2026", copy_id=None),
    }
    for row in rows.values():
        await make.appointment(row)
    await make.archived_event(configuration, source_key="s:not asked@2026")
    await make.operation(await make.run(configuration), rows["s:open@2026"])
    await events.request([row.id for row in rows.values()], NOW)
    assert await due(events) == ["s:due@2026", "s:later@2026"]
    assert await due(events, NOW + HOUR) == ["s:due@2026"]


async def test_a_conflict_waits_until_it_is_asked_again(
    events: SupersedingRepository, make: Factory, configuration: ArchiveConfiguration, session: AsyncSession
) -> None:
    row = await make.archived_event(configuration, source_key="s:a@2026")
    await make.appointment(row)
    await events.request([row.id], NOW)
    assert await due(events) == ["s:a@2026"]
    row.conflict_revision = superseded_revision(row.revision)
    await session.flush()
    assert await due(events) == []
    await events.request([row.id], NOW)
    assert await due(events) == ["s:a@2026"]
