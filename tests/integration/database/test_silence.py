"""Readers do not wait for a database that says nothing."""

import asyncio
import os
import signal

import asyncpg
import pytest
from sqlalchemy import text

from shared.database import silence
from shared.database.engine import Database
from shared.database.prepared import PreparedRead
from shared.errors import Unavailable
from shared.settings import Settings

_BACKEND = PreparedRead("SELECT pg_backend_pid() AS pid")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "PATIENCE_SECONDS", 0.05)


async def read_slowly(database: Database) -> int:
    async with database.silence.reading(), database.session() as session:
        return int((await session.execute(text("SELECT 7 FROM pg_sleep(0.4)"))).scalar_one())


async def test_a_slow_statement_is_waited_for(database: Database, impatient: None) -> None:
    assert await read_slowly(database) == 7


async def test_a_frozen_statement_is_not(
    database: Database, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who wait ask the server once, and each is told; the connection is not used again."""
    asked: list[int] = []

    async def answers() -> bool:
        asked.append(1)
        await asyncio.sleep(0.1)
        return False

    monkeypatch.setattr(database.silence, "_answers", answers)
    frozen: list[int] = []

    async def read() -> None:
        async with database.silence.reading(), database.session() as session:
            pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            frozen.append(pid)
            os.kill(pid, signal.SIGSTOP)
            await session.execute(text("SELECT 1"))

    try:
        async with asyncio.timeout(20):
            outcomes = await asyncio.gather(read(), read(), return_exceptions=True)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 2
    assert asked == [1]
    async with database.session() as session:
        assert (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one() not in frozen


async def test_a_frozen_read_without_a_session_is_not(
    settings: Settings, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that only reads has no pool yet. The server accepts its connection and then freezes."""
    database = Database(settings)
    pid = (await database.fetch(_BACKEND, {}))[0]["pid"]
    connect, tried = asyncpg.connect, list[int]()

    async def silent(**arguments: object) -> None:
        tried.append(1)
        raise TimeoutError

    monkeypatch.setattr(asyncpg, "connect", silent)
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):
            with pytest.raises(Unavailable, match="cannot be reached"):
                async with database.silence.reading():
                    await database.fetch(_BACKEND, {})
            # The next one fails at once: the server did not answer a moment ago.
            with pytest.raises(Unavailable, match="cannot be reached"):
                await database.fetch(_BACKEND, {})
    finally:
        os.kill(pid, signal.SIGCONT)
    assert tried == [1]
    monkeypatch.setattr(asyncpg, "connect", connect)
    monkeypatch.setattr(database, "_silent_until", 0.0)
    assert (await database.fetch(_BACKEND, {}))[0]["pid"] != pid
    await database.close()


async def test_a_timeout_of_the_reader_stays_one(database: Database, impatient: None) -> None:
    with pytest.raises(TimeoutError):
        async with database.silence.reading(), asyncio.timeout(0.01):
            await asyncio.sleep(1)
