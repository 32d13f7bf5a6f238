"""LostCopyRepository."""

import uuid

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.runs import ArchiveOperation
from shared.database.repositories.archiving.lost_copies import LostCopies, LostCopyRepository
from shared.domain.runs.archived_event import ArchivedEventState
from tests.support.factories import START, Factory


async def states(session: AsyncSession, *events: ArchivedEvent) -> list[tuple[str, str | None, int, bool]]:
    """State, copy and generation of each, and whether its copy must be created again."""
    found = []
    for each in events:
        await session.refresh(each)
        found.append((each.state, each.copy_id, each.generation, each.lost_at is not None))
    return found


async def test_every_copy_is_lost_and_what_is_recorded_comes_back(
    session: AsyncSession, make: Factory
) -> None:
    configuration = await make.configuration()
    present, gone, removed, consumed, unrecorded = [
        await make.archived_event(configuration, state=state, merged_into="s:x" if name else None)
        for name, state in (
            ("", ArchivedEventState.PRESENT),
            ("", ArchivedEventState.SOURCE_DELETED),
            ("", ArchivedEventState.REMOVED_BY_OWNER),
            ("meeting", ArchivedEventState.CONSUMED),
            ("", ArchivedEventState.PRESENT),
        )
    ]
    waiting = await make.archived_event(configuration, state=ArchivedEventState.FLAGGED, copy_id=None)
    for each in (present, gone, removed, consumed):
        await make.appointment(each)
    stranger = await make.archived_event()
    copies = LostCopyRepository(session, configuration.owner_id, configuration.id)
    assert await copies.lose_all(START) == 0
    assert await states(session, present, gone, removed, consumed, unrecorded, waiting) == [
        ("creating", None, 1, True),
        ("source_deleted", None, 1, True),
        ("removed_by_owner", None, 1, False),
        ("consumed", None, 1, False),
        ("creating", None, 1, False),
        ("flagged", None, 0, False),
    ]
    assert (await states(session, stranger))[0][2:] == (0, False)
    assert await copies.standing() == LostCopies(2, START, START)


async def test_writes_with_an_unknown_effect_become_obsolete_and_their_creates_are_recorded(
    session: AsyncSession, make: Factory
) -> None:
    run = await make.run()
    created = await make.operation(run, state="sent", first_sent_at=START, last_sent_at=START)
    bare = await make.operation(run, state="sent", first_sent_at=START, last_sent_at=START, record=None)
    planned = await make.operation(run)
    changed = await make.archived_event(configuration_id=run.configuration_id, owner_id=run.owner_id)
    await make.appointment(changed)
    await make.operation(run, changed, action="update", state="sent", first_sent_at=START, last_sent_at=START)
    copies = LostCopyRepository(session, run.owner_id, run.configuration_id)
    assert await copies.lose_all(START) == 3
    for operation, state in ((created, "cancelled"), (planned, "planned")):
        await session.refresh(operation)
        assert operation.state == state
    assert (created.payload, created.error_code) == (None, "archive_calendar_gone")
    fresh, unrecorded = [
        await session.get_one(ArchivedEvent, each.archived_event_id, populate_existing=True)
        for each in (created, bare)
    ]
    await session.refresh(changed)
    # Its copy may have existed: it is created again, whatever became of its source.
    assert (fresh.generation, fresh.lost_at, fresh.pending_since) == (1, START, None)
    assert (unrecorded.generation, unrecorded.lost_at, unrecorded.pending_since) == (1, None, START)
    assert {lost.id for lost in await copies.page(None, 9)} == {fresh.id, changed.id}
    assert (changed.generation, changed.lost_at, changed.pending_since) == (1, START, START)
    left = await session.execute(select(ArchiveOperation.id).where(ArchiveOperation.state == "sent"))
    assert left.all() == []


async def test_again_it_raises_no_generation_and_forgets_nothing(
    session: AsyncSession, make: Factory
) -> None:
    event = await make.archived_event()
    await make.appointment(event)
    copies = LostCopyRepository(session, event.owner_id, event.configuration_id)
    for _ in range(2):
        await copies.lose_all(START)
        assert await states(session, event) == [("creating", None, 1, True)]


async def test_pages_follow_each_other_and_are_the_owners(session: AsyncSession, make: Factory) -> None:
    configuration = await make.configuration()
    for number in range(5):
        event = await make.archived_event(configuration)
        await make.appointment(event, subject=f"Event {number}")
    copies = LostCopyRepository(session, configuration.owner_id, configuration.id)
    await copies.lose_all(START)
    first = await copies.page(None, 3)
    second = await copies.page(first[-1], 3)
    assert [len(first), len(second)] == [3, 2]
    assert sorted(each.record.subject for each in first + second) == [f"Event {n}" for n in range(5)]
    assert not any(each.busy for each in first)
    nobody = LostCopyRepository(session, uuid.uuid4(), configuration.id)
    assert await nobody.page(None, 3) == []
    assert (await nobody.standing()).amount == 0


@pytest.mark.parametrize("state", ["planned", "sent"])
async def test_what_is_being_written_is_busy(session: AsyncSession, make: Factory, state: str) -> None:
    run = await make.run()
    event = await make.archived_event(configuration_id=run.configuration_id, owner_id=run.owner_id)
    await make.appointment(event)
    copies = LostCopyRepository(session, run.owner_id, run.configuration_id)
    await copies.lose_all(START)
    await make.operation(run, event, state=state)
    (row,) = await copies.page(None, 10)
    assert row.busy
