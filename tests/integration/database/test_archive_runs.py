"""ArchiveRunRepository."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.run_search import RunFilter, RunSearchRepository
from shared.domain.runs.archive_run import RunKind, RunMode, RunState
from shared.domain.runs.outcome import Outcome, OutcomeReport, StoredReport
from shared.domain.runs.plan_counts import PlanCounts
from tests.support.factories import START, TENANT, Factory

MINUTE = timedelta(minutes=1)
ENDED = StoredReport(OutcomeReport.of(0, {}), None)
FAILED = StoredReport(OutcomeReport.of(1, {Outcome.FAILED: 1}), "why")
DAY = timedelta(days=1)


@pytest.fixture
def runs(session: AsyncSession) -> ArchiveRunRepository:
    return ArchiveRunRepository(session)


@pytest.fixture
async def configuration(make: Factory) -> ArchiveConfiguration:
    return await make.configuration()


def _new(configuration: ArchiveConfiguration, **columns: Any) -> ArchiveRun:
    defaults = {
        "id": uuid.uuid4(),
        "tenant_id": configuration.tenant_id,
        "owner_id": configuration.owner_id,
        "configuration_id": configuration.id,
        "kind": RunKind.MANUAL,
        "mode": "normal",
        "window_start": START,
        "window_end": START + DAY,
        "state": RunState.QUEUED,
        "requested_by": "system:test",
        "correlation_id": "it",
    }
    return ArchiveRun(**(defaults | columns))


async def test_a_window_is_queued_once_until_its_run_is_over(
    runs: ArchiveRunRepository, configuration: ArchiveConfiguration
) -> None:
    wanted = [
        _new(configuration),
        _new(configuration, window_end=START + 2 * DAY),
        _new(configuration, mode="replace"),
    ]
    added = await runs.add_all(wanted)
    assert set(added) == {run.id for run in wanted}
    again, later = _new(configuration), _new(configuration, window_end=START + 3 * DAY)
    assert list(await runs.add_all([again, later])) == [later.id]
    (found,) = await runs.open_like([again])
    assert found.id == wanted[0].id
    assert await runs.open_like([_new(configuration, owner_id=uuid.uuid4())]) == []
    await runs.finish(found.id, RunState.COMPLETED, ENDED, START)
    assert await runs.open_like([again]) == []
    assert list(await runs.add_all([again])) == [again.id]


async def test_a_scheduled_instant_leads_to_one_run_permanently(
    runs: ArchiveRunRepository, configuration: ArchiveConfiguration, make: Factory
) -> None:
    job = await make.job(configuration)
    first = _new(configuration, job_id=job.id, scheduled_for=START)
    assert list(await runs.add_all([first])) == [first.id]
    await runs.finish(first.id, RunState.COMPLETED, ENDED, START)
    again = _new(configuration, job_id=job.id, scheduled_for=START, window_start=START - DAY)
    following = _new(configuration, job_id=job.id, scheduled_for=START + DAY)
    assert list(await runs.add_all([again, following])) == [following.id]


async def test_nobody_reads_anothers_run(
    runs: ArchiveRunRepository, configuration: ArchiveConfiguration, make: Factory, session: AsyncSession
) -> None:
    run = await make.run(configuration)
    stranger = uuid.uuid4()
    assert await runs.get(TENANT, run.id) is run
    assert await runs.get(TENANT, run.id, run.owner_id) is run
    assert await runs.get(TENANT, run.id, stranger) is None
    assert await runs.get(stranger, run.id) is None
    wanted = RunFilter(reader=None, configuration_id=configuration.id)
    assert await RunSearchRepository(session).page(stranger, wanted, None, 10) == []
    assert await runs.next_queued(stranger, configuration.id) is None


async def test_runs_of_a_configuration_are_paged_newest_first(
    session: AsyncSession, configuration: ArchiveConfiguration, make: Factory
) -> None:
    ids = [(await make.run(configuration, created_at=START + n // 2 * MINUTE)).id for n in range(4)]
    await make.run()
    search, wanted = RunSearchRepository(session), RunFilter(reader=None, configuration_id=configuration.id)
    first = await search.page(TENANT, wanted, None, 3)
    rest = await search.page(TENANT, wanted, (first[-1].created_at, first[-1].id), 3)
    assert {run.id for run in first[:2]} == set(ids[2:])
    assert {run.id for run in [*first, *rest]} == set(ids)
    assert len(rest) == 1


async def test_one_run_of_a_configuration_runs_at_a_time(
    runs: ArchiveRunRepository, configuration: ArchiveConfiguration, make: Factory, session: AsyncSession
) -> None:
    first, second = await make.run(configuration), await make.run(configuration)
    elsewhere = await make.run()
    assert await runs.begin(first, START) is True
    assert await runs.begin(second, START) is False
    assert await runs.begin(elsewhere, START) is True
    # The activity may run twice: the run stays the running one, and keeps its start.
    assert await runs.begin(first, START + MINUTE) is True
    await session.refresh(first)
    assert (first.state, first.started_at) == ("running", START)
    assert await runs.finish(first.id, RunState.COMPLETED, ENDED, START + MINUTE) is True
    assert await runs.begin(first, START) is False
    assert await runs.begin(second, START) is True


async def test_of_two_that_begin_at_once_one_runs(database: Database) -> None:
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration()
        waiting = [await make.run(configuration) for _ in range(4)]

    async def begin(run: ArchiveRun) -> bool:
        async with database.session() as session:
            return await ArchiveRunRepository(session).begin(run, START)

    assert sorted(await asyncio.gather(*(begin(run) for run in waiting))) == [False] * 3 + [True]
    async with database.session() as session:
        wanted = RunFilter(reader=None, configuration_id=configuration.id)
        listed = await RunSearchRepository(session).page(TENANT, wanted, None, 10)
    assert sorted(run.state for run in listed) == ["queued", "queued", "queued", "running"]


async def test_a_run_ends_once(runs: ArchiveRunRepository, make: Factory, session: AsyncSession) -> None:
    run = await make.run(state=RunState.RUNNING)
    assert await runs.finish(run.id, RunState.COMPLETED_WITH_ERRORS, FAILED, START) is True
    assert await runs.finish(run.id, RunState.COMPLETED, ENDED, START + MINUTE) is False
    await session.refresh(run)
    assert (run.state, run.report, run.finished_at) == ("completed_with_errors", FAILED.to_json(), START)


async def test_the_first_plan_of_a_run_stays(
    runs: ArchiveRunRepository, make: Factory, session: AsyncSession
) -> None:
    run = await make.run()
    await runs.set_planned(run.id, PlanCounts(planned=2), START)
    await runs.set_planned(run.id, PlanCounts(planned=9), START + MINUTE)
    await session.refresh(run)
    assert (PlanCounts.stored(run.plan), run.planned_at) == (PlanCounts(planned=2), START)


async def test_queued_runs_are_promoted_by_kind_then_by_age(
    runs: ArchiveRunRepository, configuration: ArchiveConfiguration, make: Factory
) -> None:
    wanted = {}
    for kind in (RunKind.BACKFILL, RunKind.MANUAL, RunKind.NIGHTLY, RunKind.RETRY):
        for age in (0, 1):
            run = await make.run(configuration, kind=kind, created_at=START - age * MINUTE)
            wanted[kind, age] = run.id
    order = []
    while (following := await runs.next_queued(configuration.owner_id, configuration.id)) is not None:
        order.append(following)
        await runs.finish(following, RunState.COMPLETED, ENDED, START)
    kinds = (RunKind.RETRY, RunKind.NIGHTLY, RunKind.MANUAL, RunKind.BACKFILL)
    assert order == [wanted[kind, age] for kind in kinds for age in (1, 0)]


async def test_one_run_of_each_configuration_is_driven(runs: ArchiveRunRepository, make: Factory) -> None:
    busy, waiting, over = [await make.configuration() for _ in range(3)]
    running = await make.run(busy, kind=RunKind.BACKFILL, state=RunState.RUNNING)
    await make.run(busy, kind=RunKind.RETRY)
    await make.run(waiting, kind=RunKind.MANUAL, created_at=START - DAY)
    nightly = await make.run(waiting, kind=RunKind.NIGHTLY)
    await make.run(over, state=RunState.COMPLETED)
    assert set(await runs.to_drive_unscoped(START, 10)) == {running.id, nightly.id}
    assert len(await runs.to_drive_unscoped(START, 1)) == 1
    await runs.set_dispatched([running.id], START)
    assert await runs.to_drive_unscoped(START, 10) == [nightly.id]
    # Another queued run does not move up while the first one's orchestration has only just been started.
    await runs.set_dispatched([nightly.id], START)
    assert await runs.to_drive_unscoped(START, 10) == []
    assert set(await runs.to_drive_unscoped(START + MINUTE, 10)) == {running.id, nightly.id}


async def test_graph_requests_add_up(
    runs: ArchiveRunRepository, make: Factory, session: AsyncSession
) -> None:
    run = await make.run()
    await runs.add_usage(run.owner_id, run.id, 20, 1)
    await runs.add_usage(run.owner_id, run.id, 2, 2)
    await runs.add_usage(run.owner_id, run.id, 0, 0)
    await runs.add_usage(uuid.uuid4(), run.id, 100, 100)
    await session.refresh(run)
    assert (run.graph_requests, run.round_trips) == (22, 3)


async def test_a_run_is_found_by_id_alone_for_the_workflow(runs: ArchiveRunRepository, make: Factory) -> None:
    run = await make.run()
    assert await runs.get_unscoped(run.id, lock=True) is run
    assert await runs.get_unscoped(uuid.uuid4()) is None


async def test_whether_anything_of_a_configuration_is_open(
    runs: ArchiveRunRepository, configuration: ArchiveConfiguration, make: Factory
) -> None:
    where = (configuration.owner_id, configuration.id)
    assert await runs.any_open(*where) is False
    run = await make.run(configuration)
    assert await runs.any_open(*where) is True
    assert await runs.any_open(uuid.uuid4(), configuration.id) is False
    assert await runs.begin(run, START) is True
    assert await runs.any_open(*where) is True
    await runs.finish(run.id, RunState.COMPLETED, ENDED, START)
    assert await runs.any_open(*where) is False


async def test_while_a_rebuild_waits_nothing_else_begins(
    runs: ArchiveRunRepository, configuration: ArchiveConfiguration, make: Factory, session: AsyncSession
) -> None:
    retry = await make.run(configuration, kind=RunKind.RETRY)
    rebuild = await make.run(configuration, mode=RunMode.REBUILD)
    elsewhere = await make.run()
    place = configuration.owner_id, configuration.id
    assert await runs.next_queued(*place) == rebuild.id
    assert await runs.open_of_mode(*place, RunMode.REBUILD) is rebuild
    assert await runs.open_of_mode(*place, RunMode.EDIT) is None
    assert not await runs.begin(retry, START)
    assert await runs.begin(elsewhere, START)
    assert await runs.none_running(*place)
    assert await runs.begin(rebuild, START)
    assert not await runs.none_running(*place)
    assert not await runs.begin(retry, START)
    await runs.finish(rebuild.id, RunState.COMPLETED, ENDED, START)
    assert await runs.begin(retry, START)
