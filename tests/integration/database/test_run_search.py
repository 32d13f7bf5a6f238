"""RunSearchRepository."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.run_search import RunFilter, RunSearchRepository
from shared.domain.runs.archive_run import RunState
from tests.support.factories import START, TENANT, Factory

HOUR = timedelta(hours=1)


async def test_runs_of_one_tenant_newest_first_in_pages(session: AsyncSession, make: Factory) -> None:
    configuration = await make.configuration()
    runs = [
        await make.run(configuration, state=RunState.COMPLETED, created_at=START + number * HOUR)
        for number in range(3)
    ]
    search = RunSearchRepository(session)
    first = await search.page(TENANT, RunFilter(None), None, 2)
    assert [run.id for run in first] == [runs[2].id, runs[1].id]
    last = first[-1]
    rest = await search.page(TENANT, RunFilter(None), (last.created_at, last.id), 2)
    assert [run.id for run in rest] == [runs[0].id]
    assert await search.page(uuid4(), RunFilter(None), None, 9) == []


async def test_a_reader_does_not_find_what_is_closed_to_them(session: AsyncSession, make: Factory) -> None:
    closed = await make.configuration(names_another=True, source_mailbox_id=uuid4(), open_until=START)
    await make.run(closed)
    search = RunSearchRepository(session)
    assert await search.page(TENANT, RunFilter(closed.owner_id), None, 9) == []
    assert len(await search.page(TENANT, RunFilter(uuid4()), None, 9)) == 1
