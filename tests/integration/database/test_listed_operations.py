"""ListedOperationRepository: what people see of a run's writes."""

import uuid

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.listed_operations import ListedOperationRepository
from shared.domain.runs.archive_run import RunState
from tests.support.factories import Factory


@pytest.fixture
async def run(make: Factory) -> ArchiveRun:
    return await make.run(state=RunState.RUNNING)


@pytest.fixture
def listed(session: AsyncSession, run: ArchiveRun) -> ListedOperationRepository:
    return ListedOperationRepository(session, run.owner_id)


async def test_problems_are_what_failed_or_needs_attention(
    listed: ListedOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    for state in ("done", "planned", "cancelled"):
        await make.operation(run, state=state)
    problems = [
        await make.operation(run, state=state, error_code=code, action=action)
        for state, code, action in (
            ("failed", "ErrorInvalid", "create"),
            ("conflict", "edited_by_owner", "update"),
            ("sent", None, "create"),
            ("done", "extra_copies", "create"),
        )
    ]
    await make.operation(state="failed")
    assert [row.id for row in await listed.problems(run.id, 10)] == [row.id for row in problems]
    assert len(await listed.problems(run.id, 2)) == 2
    assert await ListedOperationRepository(session, uuid.uuid4()).problems(run.id, 10) == []


async def test_the_writes_of_a_run_are_paged_in_the_order_of_the_calendar(
    listed: ListedOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    third, first, second = [await make.operation(run, position=n, state="done") for n in (3, 1, 1)]
    failed = await make.operation(run, position=2, state="failed")
    await make.operation(run, position=0, state="draft")
    await make.operation(position=0, state="done")
    page = await listed.of_run(run.id, None, None, 2)
    assert {row["id"] for row in page} == {first.id, second.id}
    after = (page[-1]["position"], page[-1]["id"])
    rest = await listed.of_run(run.id, None, after, 2)
    assert [row["id"] for row in rest] == [failed.id, third.id]
    assert [row["id"] for row in await listed.of_run(run.id, "failed", None, 9)] == [failed.id]
    assert await ListedOperationRepository(session, uuid.uuid4()).of_run(run.id, None, None, 9) == []
    assert {"payload", "record"}.isdisjoint(page[0])
