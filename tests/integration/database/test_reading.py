"""Sessions that only read, and what the pool looks at before it lends a connection."""

import pytest
from sqlalchemy import event, text

from shared.database import pool_checks
from shared.database.engine import Database
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
    await database.ping()
    pings: list[object] = []
    dialect = database.engine.sync_engine.dialect
    original = dialect.do_ping

    def ping(connection: object) -> bool:
        pings.append(connection)
        return original(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(dialect, "do_ping", ping)
    await database.ping()
    assert pings == []
    monkeypatch.setattr(pool_checks, "RESTED_SECONDS", 0.0)
    await database.ping()
    assert len(pings) == 1


async def test_a_rested_connection_that_does_not_answer_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.ping()
    monkeypatch.setattr(pool_checks, "RESTED_SECONDS", 0.0)

    def silent(_: object) -> bool:
        raise TimeoutError

    connected: list[object] = []
    event.listen(database.engine.sync_engine, "connect", lambda *_: connected.append(1))
    monkeypatch.setattr(database.engine.sync_engine.dialect, "do_ping", silent)
    await database.ping()
    assert connected == [1]


async def test_a_connection_that_the_server_closed_is_replaced_without_a_ping(
    database: Database, worker_database: TestDatabase
) -> None:
    async with database.reading() as session:
        pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    async with administrator(worker_database.user) as other:
        await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    async with database.reading() as session:
        assert (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one() != pid
