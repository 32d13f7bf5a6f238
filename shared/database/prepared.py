"""Prepared statements for the few that run very often: the driver runs them directly.

All other statements use a session. There, a read takes 6.9 times as long, and one of twenty statements of a
transaction 1.8 times (``./dev bench prepared``, 32 at once). A worker that only runs such reads never loads
SQLAlchemy, which takes a third of a cold start (``./dev bench cold``).
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from shared.database import failures

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

type Ask[Found] = Callable[[Any], Awaitable[Found]]

#: A literal, which is skipped, or a parameter. Two colons are a cast.
_LITERAL_OR_PARAMETER = re.compile(r"'[^']*'|(?<![:\w]):([a-z_]\w*)")


class _Prepared:
    """A statement in SQL with named parameters such as ``:tenant``."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._statement, self._names = _numbered(sql)

    async def _fetch(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        values = [parameters[name] for name in self._names]
        found: Sequence[asyncpg.Record] = await driver.fetch(self._statement, *values)
        return found


class PreparedRead(_Prepared):
    """A read that nearly every request needs.

    The driver decodes its columns. JSON must be cast to text, because only some connections decode it.
    """

    async def rows(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The rows, read on a connection of asyncpg. Raises asyncpg's errors."""
        return await self._fetch(driver, parameters)


class PreparedWrite(_Prepared):
    """A statement that transactions run very often.

    JSON is passed as text in both directions, without SQLAlchemy's types.
    """

    async def rows(self, session: "AsyncSession", parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        """The returned rows, within the session's transaction.

        Raises Unavailable for a temporary failure, as ``Database.session`` does, else asyncpg's errors.
        """
        return await in_transaction(session, lambda driver: self._fetch(driver, parameters))


async def in_transaction[Found](session: "AsyncSession", ask: Ask[Found]) -> Found:
    """The result of ``ask`` on the driver's connection, within the session's transaction.

    Raises as :meth:`PreparedWrite.rows` does.
    """
    from sqlalchemy import text

    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy opens the transaction with its own first statement. Without it, this one would commit
        # alone.
        await session.execute(text("SELECT 1"))
    try:
        return await ask(driver)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if driver.is_closed() or not isinstance(error, asyncpg.PostgresError):
            await connection.invalidate(error)
        told = failures.driver_failure(error)
        if told is None:
            raise
        raise told from error


def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with ``$1`` and so on, for the server, and its parameters in order."""
    numbers: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        return found[0] if name is None else f"${numbers.setdefault(name, len(numbers) + 1)}"

    return _LITERAL_OR_PARAMETER.sub(number, sql), tuple(numbers)
