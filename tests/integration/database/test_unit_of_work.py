"""Several sessions in one transaction: all of it is there, or nothing."""

import asyncio
import contextvars
from typing import Any

import pytest
from sqlalchemy import event, func, select

from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.repositories.identity.users import UserRepository
from shared.errors import Conflict, Unavailable
from shared.settings import Settings
from tests.support.factories import TENANT, Factory


async def add(database: Database, address: str, *, apart: bool = False) -> None:
    async with database.session(apart=apart) as session:
        await Factory(session).user(address=address)


async def addresses(database: Database) -> set[str]:
    async with database.session(apart=True) as session:
        return set((await session.execute(select(User.address))).scalars())


async def test_its_sessions_are_committed_together(database: Database) -> None:
    async with database.unit_of_work():
        await add(database, "a@example.com")
        async with database.session() as session:
            assert await UserRepository(session).get_by_address(TENANT, "a@example.com") is not None
        await add(database, "b@example.com")
        assert await addresses(database) == set()
    assert await addresses(database) == {"a@example.com", "b@example.com"}


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
async def test_nothing_is_left_when_it_fails(database: Database, error: type[BaseException]) -> None:
    async def fail() -> None:
        async with database.unit_of_work():
            await add(database, "a@example.com")
            await add(database, "kept@example.com", apart=True)
            raise error

    with pytest.raises(error):
        await fail()
    assert await addresses(database) == {"kept@example.com"}


async def test_a_session_that_fails_takes_back_its_own_writes_alone(database: Database) -> None:
    async with database.unit_of_work():
        await add(database, "a@example.com")
        with pytest.raises(Conflict):
            await add(database, "A@example.com")
        await add(database, "b@example.com")
    assert await addresses(database) == {"a@example.com", "b@example.com"}


async def test_a_session_without_a_savepoint_stands_or_falls_with_the_unit(database: Database) -> None:
    async def add_both(*both: str) -> None:
        async with database.unit_of_work():
            for address in both:
                async with database.session(savepoint=False) as session:
                    await Factory(session).user(address=address)

    await add_both("a@example.com", "b@example.com")
    with pytest.raises(Conflict):
        await add_both("c@example.com", "A@example.com")
    assert await addresses(database) == {"a@example.com", "b@example.com"}


@pytest.mark.parametrize("statement", ["SAVEPOINT", "INSERT INTO users", "RELEASE SAVEPOINT"])
async def test_a_task_cancelled_at_any_statement_gets_its_cancellation(
    database: Database, statement: str
) -> None:
    """A savepoint whose release was interrupted stayed with the connection, and the answer became a 500."""
    armed = asyncio.Event()

    def cancel(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        task = asyncio.current_task()
        if armed.is_set() and sql.startswith(statement) and task is not None:
            armed.clear()
            task.cancel()

    async def work() -> None:
        async with database.unit_of_work():
            await add(database, "a@example.com")
            armed.set()
            await add(database, "b@example.com")

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", cancel)
    try:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(work())
    finally:
        event.remove(engine, "before_cursor_execute", cancel)
    assert not armed.is_set()
    assert await addresses(database) == set()


async def test_tasks_of_a_unit_take_turns(database: Database) -> None:
    async with database.unit_of_work():
        await asyncio.gather(*(add(database, f"{n}@example.com") for n in range(5)))
    async with database.session() as session:
        assert (await session.execute(select(func.count()).select_from(User))).scalar_one() == 5


async def test_a_task_that_outlives_it_stands_on_its_own(database: Database) -> None:
    over = asyncio.Event()

    async def later() -> None:
        await over.wait()
        await add(database, "late@example.com")

    async with database.unit_of_work():
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    over.set()
    await task
    assert await addresses(database) == {"late@example.com"}


async def test_what_would_wait_for_itself_is_refused(database: Database) -> None:
    async with database.unit_of_work():
        async with database.session():
            with pytest.raises(RuntimeError, match="already"):
                async with database.session():
                    pass
        with pytest.raises(RuntimeError, match="already"):
            async with database.unit_of_work():
                pass


async def test_units_leave_half_of_the_connections_to_others(settings: Settings) -> None:
    few = settings.model_copy(
        update={"database_pool_size": 2, "database_max_overflow": 0, "database_pool_timeout": 0.2}
    )
    database = Database(few, application_name="test")
    async with database.unit_of_work():
        # A task of its own is in no unit.
        alone = contextvars.Context()

        async def another() -> None:
            async with database.unit_of_work():
                pass

        with pytest.raises(Unavailable) as refused:
            await asyncio.create_task(another(), context=alone)
        assert refused.value.retry_after is not None
        await asyncio.create_task(database.ping(), context=contextvars.Context())
    await database.close()
