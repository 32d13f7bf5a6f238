"""Sessions that only read, and what the pool checks before a connection is borrowed."""

import asyncio
import os
import signal

import pytest
from sqlalchemy import text

from shared.database import connection_sources, pool_checks
from shared.database.engine import Database
from shared.database.prepared import PreparedRead
from shared.errors import Unavailable
from shared.settings import Settings
from tests.support.factories import Factory
from tests.support.postgres import TestDatabase, administrator


async def test_a_reading_session_sees_what_is_committed_and_opens_no_transaction(database: Database) -> None:
    async with database.session() as session:
        await Factory(session).user()
    async with database.reading() as session:
        count = text("SELECT count(*) FROM users")
        assert (await session.execute(count)).scalar_one() == 1
        async with database.session() as other:
            await Factory(other).user()
        assert (await session.execute(count)).scalar_one() == 2
        began = text("SELECT transaction_timestamp()")
        assert (await session.execute(began)).scalar() != (await session.execute(began)).scalar()


async def test_a_reading_session_writes_nothing(database: Database) -> None:
    async with database.session() as session:
        user = await Factory(session).user(display_name="Ada")

    async def write() -> None:
        async with database.reading() as session:
            session.add(user)
            user.display_name = "Eve"
            await session.flush()

    with pytest.raises(RuntimeError, match="nothing to write"):
        await write()
    async with database.reading() as session:
        names = await session.execute(text("SELECT display_name FROM users"))
        assert list(names.scalars()) == ["Ada"]


async def test_a_transaction_after_a_read_on_the_same_connection_is_one(database: Database) -> None:
    async with database.reading() as session:
        await session.execute(text("SELECT 1"))

    async def fail() -> None:
        async with database.session() as session:
            await Factory(session).user()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.reading() as session:
        assert (await session.execute(text("SELECT count(*) FROM users"))).scalar_one() == 0


async def test_a_reading_session_of_a_unit_sees_what_the_unit_wrote(database: Database) -> None:
    async with database.unit_of_work():
        async with database.session() as session:
            await Factory(session).user()
        async with database.reading() as session:
            assert (await session.execute(text("SELECT count(*) FROM users"))).scalar_one() == 1


async def test_only_a_rested_connection_is_pinged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.fetch(_sleep(), {"seconds": 0.0})
    pings: list[str] = []
    async with database.session() as session:
        connection = await session.connection()
        driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    driver.add_query_logger(lambda query: pings.append(query.query))
    await database.fetch(_sleep(), {"seconds": 0.0})
    assert connection_sources.PING not in pings
    monkeypatch.setattr(pool_checks, "RESTED_SECONDS", 0.0)
    await database.fetch(_sleep(), {"seconds": 0.0})
    assert pings.count(connection_sources.PING) == 1


async def test_rested_connections_that_answer_are_used_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_checks, "RESTED_SECONDS", 0.0)
    before = await asyncio.gather(*(_backend_after_a_moment(database) for _ in range(3)))
    assert set(await asyncio.gather(*(_backend_after_a_moment(database) for _ in range(3)))) == set(before)


async def _backend_after_a_moment(database: Database) -> int:
    async with database.session() as session:
        pid: int = (await session.execute(text("SELECT pg_backend_pid() FROM pg_sleep(0.1)"))).scalar_one()
        return pid


async def test_a_rested_connection_that_does_not_answer_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its backend is frozen, as a whole machine may be; the others are not."""
    async with database.session() as session:
        frozen = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    monkeypatch.setattr(pool_checks, "RESTED_SECONDS", 0.0)
    monkeypatch.setattr(pool_checks, "PING_SECONDS", 0.2)
    os.kill(frozen, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10), database.session() as session:
            assert (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one() != frozen
    finally:
        os.kill(frozen, signal.SIGCONT)


async def test_a_connection_that_the_server_closed_is_replaced_without_a_ping(
    database: Database, worker_database: TestDatabase
) -> None:
    async with database.reading() as session:
        pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    async with administrator(worker_database.user) as other:
        await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    async with database.reading() as session:
        assert (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one() != pid


def _sleep() -> PreparedRead:
    return PreparedRead("SELECT pg_sleep(:seconds)")


async def test_a_prepared_read_of_a_unit_sees_what_the_unit_wrote(database: Database) -> None:
    count = PreparedRead("SELECT count(*) AS users FROM users")
    async with database.unit_of_work():
        async with database.session() as session:
            await Factory(session).user()
        assert [dict(row) for row in await database.fetch(count, {})] == [{"users": 1}]


async def test_prepared_reads_given_up_leave_the_pool_whole(settings: Settings) -> None:
    narrow = settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0})
    database = Database(narrow)
    try:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await database.fetch(_sleep(), {"seconds": 30.0})
        assert len(await database.fetch(_sleep(), {"seconds": 0.0})) == 1
    finally:
        await database.close()


async def test_prepared_reads_say_when_to_come_back(settings: Settings) -> None:
    hurried = settings.model_copy(
        update={
            "database_pool_size": 1,
            "database_max_overflow": 0,
            "database_pool_timeout": 0.05,
            "database_statement_timeout": 0.3,
        }
    )
    database = Database(hurried)
    try:
        await database.ping()
        told = await asyncio.gather(
            *(database.fetch(_sleep(), {"seconds": 5.0}) for _ in range(2)), return_exceptions=True
        )
        assert sorted(str(each) for each in told) == [
            "All database connections are in use.",
            "The database took too long.",
        ]
        assert all(isinstance(each, Unavailable) and each.retry_after for each in told)
        assert len(await database.fetch(_sleep(), {"seconds": 0.0})) == 1
    finally:
        await database.close()


async def test_prepared_reads_are_served_in_the_order_they_came(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0}))
    served: list[int] = []

    async def read(number: int) -> None:
        await database.fetch(_sleep(), {"seconds": 0.0})
        served.append(number)
        if number == 0:
            await database.fetch(_sleep(), {"seconds": 0.0})
            served.append(100)

    try:
        # The first use asks who we are, one after another.
        await database.ping()
        await asyncio.gather(*(read(number) for number in range(20)))
        assert served == [*range(20), 100]
    finally:
        await database.close()


async def test_a_read_given_up_in_the_queue_does_not_keep_the_others_waiting(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0}))
    try:
        reads = [asyncio.create_task(database.fetch(_sleep(), {"seconds": 0.05})) for _ in range(6)]
        await asyncio.sleep(0.02)
        for given_up in reads[1::2]:
            given_up.cancel()
        found = await asyncio.gather(*reads, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in found] == [False, True] * 3
        assert len(await database.fetch(_sleep(), {"seconds": 0.0})) == 1
    finally:
        await database.close()


async def test_reads_without_end_leave_the_pool_to_others_too(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0}))
    over = asyncio.Event()

    async def read() -> None:
        while not over.is_set():
            await database.fetch(_sleep(), {"seconds": 0.0})

    try:
        readers = [asyncio.create_task(read()) for _ in range(4)]
        await asyncio.sleep(0.05)
        for _ in range(3):
            await database.ping()
        over.set()
        await asyncio.gather(*readers)
    finally:
        await database.close()


async def test_a_connection_that_breaks_under_a_read_is_not_handed_on(
    settings: Settings, worker_database: TestDatabase
) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0}))
    backend = PreparedRead("SELECT pg_backend_pid() AS pid")
    try:
        pid = (await database.fetch(backend, {}))[0]["pid"]
        broken, waiting = (
            asyncio.create_task(database.fetch(read, parameters))
            for read, parameters in ((_sleep(), {"seconds": 30.0}), (backend, {}))
        )
        await asyncio.sleep(0.1)
        async with administrator(worker_database.user) as other:
            await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        with pytest.raises(Unavailable):
            await broken
        assert (await waiting)[0]["pid"] != pid
    finally:
        await database.close()
