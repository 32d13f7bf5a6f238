"""A cancelled caller leaves nothing behind: no connection checked out, no transaction open, no row."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, text

from shared.database.engine import Database
from shared.database.models.users import User
from shared.settings import Settings
from tests.support.catalog import busy_connections
from tests.support.factories import Factory
from tests.support.postgres import TestDatabase

NAME = "cancelled"


@pytest.fixture
async def cancelled(settings: Settings, database: Database) -> AsyncIterator[Database]:
    """A database whose connections PostgreSQL can tell from the others; ``database`` empties the tables."""
    own = Database(settings, application_name=NAME)
    yield own
    await own.close()


async def _insert_slowly(database: Database) -> None:
    async with database.session() as session:
        await Factory(session).user()
        await session.execute(text("SELECT pg_sleep(0.001)"))


def _checked_out(database: Database) -> int:
    return int(database.engine.pool.checkedout())  # type: ignore[attr-defined]


async def test_cancelling_a_running_statement_rolls_back(
    cancelled: Database, worker_database: TestDatabase
) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with cancelled.session() as session:
            await Factory(session).user()
            started.set()
            await session.execute(text("SELECT pg_sleep(60)"))

    task = asyncio.create_task(work())
    await started.wait()
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await busy_connections(worker_database.admin, NAME) == 0
    assert _checked_out(cancelled) == 0
    async with cancelled.session() as session:
        assert (await session.execute(select(func.count()).select_from(User))).scalar_one() == 0


async def test_cancelling_at_any_step_leaves_nothing_behind(
    cancelled: Database, worker_database: TestDatabase
) -> None:
    for steps in range(40):
        task = asyncio.create_task(_insert_slowly(cancelled))
        for _ in range(steps):
            await asyncio.sleep(0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
    assert await busy_connections(worker_database.admin, NAME) == 0
    assert _checked_out(cancelled) == 0
    await cancelled.ping()


async def test_cancelling_twice_leaves_nothing_behind(
    cancelled: Database, worker_database: TestDatabase
) -> None:
    for steps in range(20):
        task = asyncio.create_task(_insert_slowly(cancelled))
        await asyncio.sleep(0.002)
        task.cancel()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await busy_connections(worker_database.admin, NAME) == 0
    for _ in range(100):
        if _checked_out(cancelled) == 0:
            break
        await asyncio.sleep(0.01)
    assert _checked_out(cancelled) == 0


async def test_a_caller_that_stops_waiting_for_a_connection_takes_none(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0}))
    async with database.session() as session:
        await session.execute(text("SELECT 1"))
        waiting = [asyncio.create_task(database.ping()) for _ in range(5)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await database.ping()
    assert _checked_out(database) == 0
    await database.close()
