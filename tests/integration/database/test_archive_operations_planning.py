"""ArchiveOperationRepository while a run is planned."""

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.engine import Database
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveOperation, ArchiveRun
from shared.database.repositories.archiving.archive_operations import ArchiveOperationRepository
from tests.integration.database.operation_rows import operation_row
from tests.support.factories import START, Factory


@pytest.fixture
async def run(make: Factory) -> ArchiveRun:
    return await make.run()


@pytest.fixture
def operations(session: AsyncSession, run: ArchiveRun) -> ArchiveOperationRepository:
    return ArchiveOperationRepository(session, run.owner_id, run.configuration_id)


async def _event(make: Factory, session: AsyncSession, run: ArchiveRun, key: str) -> ArchivedEvent:
    configuration = await session.get_one(ArchiveConfiguration, run.configuration_id)
    return await make.archived_event(configuration, source_key=key)


async def _states(session: AsyncSession, run: ArchiveRun) -> dict[str, str]:
    statement = select(ArchiveOperation).where(ArchiveOperation.run_id == run.id)
    found = await session.execute(statement.execution_options(populate_existing=True))
    return {row.source_key: row.state for row in found.scalars()}


async def test_what_is_added_takes_revision_and_etag_of_the_copy_it_changes(
    operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    event = await _event(make, session, run, "s:a")
    await operations.add(run.id, [operation_row("s:a"), operation_row("s:unknown to the map")])
    added = (await session.execute(select(ArchiveOperation))).scalar_one()
    assert (added.archived_event_id, added.owner_id) == (event.id, run.owner_id)
    assert (added.previous_revision, added.if_match) == (event.revision, event.copy_etag)
    assert (added.payload, added.payload_bytes) == ({"subject": "s:a"}, len('{"subject":"s:a"}'))
    await operations.add(run.id, [])


async def test_drafts_are_promoted_discarded_and_the_rest_dropped(
    operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    for key in ("s:keep", "s:drop", "s:nobody", "s:planned"):
        await _event(make, session, run, key)
    drafts = [operation_row(key, state="draft") for key in ("s:keep", "s:drop", "s:nobody")]
    await operations.add(run.id, [*drafts, operation_row("s:planned")])
    await operations.promote(run.id, ["s:keep", "s:unheard of"])
    await operations.discard(run.id, ["s:drop", "s:planned"])
    assert await _states(session, run) == {
        "s:keep": "planned",
        "s:nobody": "draft",
        "s:planned": "planned",
    }
    await operations.promote(run.id, [])
    await operations.discard(run.id, [])
    await operations.discard_rest(run.id)
    assert await _states(session, run) == {"s:keep": "planned", "s:planned": "planned"}


async def test_an_event_on_two_pages_has_one_operation_with_the_later_body(
    operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    await _event(make, session, run, "s:twice")
    await operations.add(run.id, [operation_row("s:twice", state="draft")])
    later = operation_row("s:twice", payload={"subject": "later"}, revision="later")
    await operations.add(run.id, [later])
    # A planned one is decided: what comes after it is for the next run.
    await operations.add(run.id, [operation_row("s:twice", payload={"subject": "too late"})])
    kept = (await session.execute(select(ArchiveOperation))).scalar_one()
    assert (kept.state, kept.payload, kept.revision) == ("planned", {"subject": "later"}, "later")


async def test_an_event_has_one_open_operation_whatever_the_run(
    operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    event = await _event(make, session, run, "s:open")
    sent = await make.operation(run, event, state="sent", first_sent_at=START, last_sent_at=START)
    later = await make.run(await session.get_one(ArchiveConfiguration, run.configuration_id))
    assert await operations.open_keys(later.id) == {"s:open"}
    assert await operations.open_keys(run.id) == frozenset()
    await operations.add(later.id, [operation_row("s:open", state="draft")])
    with pytest.raises(Exception, match="uq_archive_operations_open"):
        async with session.begin_nested():
            await operations.promote(later.id, ["s:open"])
    sent.state = "done"
    await session.flush()
    await operations.promote(later.id, ["s:open"])
    assert await _states(session, later) == {"s:open": "planned"}


async def test_the_database_refuses_a_second_open_operation_in_words(database: Database) -> None:
    async with database.session() as session:
        make = Factory(session)
        run = await make.run()
        sent = await make.operation(run, state="sent", first_sent_at=START, last_sent_at=START)
        later = await make.run(await session.get_one(ArchiveConfiguration, run.configuration_id))

    async def plan_again() -> None:
        async with database.session() as session:
            operations = ArchiveOperationRepository(session, run.owner_id, run.configuration_id)
            await operations.add(later.id, [operation_row(sent.source_key)])

    with pytest.raises(AlreadyExists, match="open operation"):
        await plan_again()


async def test_planning_starts_over_without_what_was_never_sent(
    operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    draft = await make.operation(run, state="draft")
    planned = await make.operation(run)
    once_sent = await make.operation(run, first_sent_at=START)
    done = await make.operation(run, state="done")
    await operations.clear_unsent(run.id)
    left = await _states(session, run)
    assert left == {once_sent.source_key: "planned", done.source_key: "done"}
    assert {draft.source_key, planned.source_key}.isdisjoint(left)
