"""Prepared reads of a worker that opened no session yet: on the driver's own connections."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text

from shared.database import connection_sources
from shared.database.engine import Database, PrivilegedDatabaseRoleError
from shared.database.prepared import PreparedRead
from shared.errors import Unavailable
from shared.settings import Settings
from tests.support.postgres import TestDatabase, administrator
from tests.support.settings import make_settings

_BACKEND = PreparedRead("SELECT pg_backend_pid() AS pid")
_SLOW_BACKEND = PreparedRead("SELECT pg_backend_pid() AS pid FROM pg_sleep(0.1)")
_SLEEP = PreparedRead("SELECT pg_sleep(:seconds)")
_WHERE = PreparedRead("SELECT 'a:b' AS literal, :number::int AS number, :number::int + 1 AS more")


@pytest.fixture
async def fresh(settings: Settings) -> AsyncIterator[Database]:
    """A database that nobody asked yet, with one connection at a time."""
    narrow = settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 0})
    database = Database(narrow)
    yield database
    await database.close()


async def _backend(database: Database) -> int:
    return int((await database.fetch(_BACKEND, {}))[0]["pid"])


async def _backend_after_a_moment(database: Database) -> int:
    """Of its own connection, if others ask at the same time."""
    return int((await database.fetch(_SLOW_BACKEND, {}))[0]["pid"])


async def _write_nothing(database: Database) -> None:
    """Open a session, so that there is a pool."""
    async with database.session() as session:
        await session.execute(text("SELECT 1"))


async def _open(worker_database: TestDatabase, *pids: int) -> int:
    """How many of these connections the server still has, a moment later."""
    async with administrator(worker_database.user) as other:
        for _ in range(100):
            found = await other.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1::int[])", list(pids)
            )
            if not found:
                break
            await asyncio.sleep(0.02)
        return int(found)


async def test_a_worker_that_only_reads_does_not_load_sqlalchemy(settings: Settings) -> None:
    code = (
        "import asyncio, sys\n"
        "from shared.database.engine import Database\n"
        "from shared.settings import Settings\n"
        "async def main():\n"
        "    database = Database(Settings(database_url=sys.argv[1]))\n"
        "    await database.ping()\n"
        "    assert await database.revision()\n"
        "    assert 'sqlalchemy' not in sys.modules\n"
        "    async with database.session():\n"
        "        assert 'sqlalchemy' in sys.modules\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    url = settings.database_url.get_secret_value()
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_parameters_are_told_from_literals_and_casts(fresh: Database) -> None:
    (row,) = await fresh.fetch(_WHERE, {"number": 3})
    assert dict(row) == {"literal": "a:b", "number": 3, "more": 4}


async def test_a_connection_is_used_again_and_by_the_pool_too(fresh: Database) -> None:
    first = await _backend(fresh)
    assert await _backend(fresh) == first
    await _write_nothing(fresh)
    assert await _backend(fresh) == first


async def test_the_pool_takes_over_one_connection_and_the_others_are_closed(
    settings: Settings, worker_database: TestDatabase
) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 3, "database_max_overflow": 0}))
    await asyncio.gather(*(database.fetch(_SLEEP, {"seconds": 0.1}) for _ in range(3)))
    pids = await asyncio.gather(*(_backend(database) for _ in range(3)))
    await _write_nothing(database)
    kept = await _backend(database)
    assert kept in pids
    assert await _open(worker_database, *(pid for pid in pids if pid != kept)) == 0
    await database.close()
    assert await _open(worker_database, kept) == 0


async def test_a_connection_that_is_not_new_any_more_is_not_taken_over(
    fresh: Database, worker_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _backend(fresh)
    monkeypatch.setattr(connection_sources, "RESTED_SECONDS", 0.0)
    await _write_nothing(fresh)
    assert await _backend(fresh) != first
    assert await _open(worker_database, first) == 0


async def test_a_read_in_progress_ends_when_the_pool_takes_over_and_its_connection_is_closed(
    fresh: Database, worker_database: TestDatabase
) -> None:
    first = await _backend(fresh)
    reading = asyncio.create_task(fresh.fetch(_SLEEP, {"seconds": 0.2}))
    await asyncio.sleep(0.05)
    await _write_nothing(fresh)
    assert len(await reading) == 1
    assert await _open(worker_database, first) == 0


async def test_a_connection_that_the_server_closed_is_replaced(
    fresh: Database, worker_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _backend(fresh)
    async with administrator(worker_database.user) as other:
        await other.execute("SELECT pg_terminate_backend($1, 5000)", first)
    monkeypatch.setattr(connection_sources, "RESTED_SECONDS", 0.0)
    assert await _backend(fresh) != first


async def test_a_rested_connection_that_answers_is_used_again(
    fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _backend(fresh)
    monkeypatch.setattr(connection_sources, "RESTED_SECONDS", 0.0)
    assert await _backend(fresh) == first


async def test_rested_connections_that_do_not_answer_are_replaced_after_one_ping(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their backends are frozen, as a whole machine may be."""
    database = Database(settings.model_copy(update={"database_pool_size": 3, "database_max_overflow": 0}))
    await asyncio.gather(*(database.fetch(_SLEEP, {"seconds": 0.1}) for _ in range(3)))
    pinged: list[object] = []
    original = asyncpg.Connection.execute

    async def execute(driver: asyncpg.Connection, query: str, **options: float) -> str:
        pinged.append(driver)
        return str(await original(driver, query, **options))

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    frozen = await asyncio.gather(*(_backend_after_a_moment(database) for _ in range(3)))
    assert len(set(frozen)) == 3
    monkeypatch.setattr(connection_sources, "RESTED_SECONDS", 0.0)
    monkeypatch.setattr(connection_sources, "PING_SECONDS", 0.2)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            assert await _backend(database) not in frozen
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        await database.close()
    assert len(pinged) == 1


async def test_an_old_connection_is_replaced(
    fresh: Database, worker_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _backend(fresh)
    monkeypatch.setattr(connection_sources, "RECYCLE_SECONDS", 0)
    assert await _backend(fresh) != first
    assert await _open(worker_database, first) == 0


async def test_a_read_that_is_given_up_leaves_no_connection_behind(
    fresh: Database, worker_database: TestDatabase
) -> None:
    first = await _backend(fresh)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await fresh.fetch(_SLEEP, {"seconds": 30.0})
    assert await _backend(fresh) != first


async def test_failures_are_told_as_those_of_sessions_are(
    settings: Settings, worker_database: TestDatabase, unused_tcp_port: int
) -> None:
    away = Database(make_settings(database_url=f"postgresql://me:hunter2@127.0.0.1:{unused_tcp_port}/d"))
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        await away.fetch(_BACKEND, {})
    assert "hunter2" not in caught.value.detail
    owner = Database(make_settings(database_url=worker_database.owner))
    with pytest.raises(PrivilegedDatabaseRoleError, match="owner"):
        await owner.fetch(_BACKEND, {})
    hurried = Database(settings.model_copy(update={"database_statement_timeout": 0.05}))
    with pytest.raises(Unavailable, match="too long"):
        await hurried.fetch(_SLEEP, {"seconds": 5.0})
    for database in (away, owner, hurried):
        await database.close()
