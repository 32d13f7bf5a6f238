"""Prepared statements for the few that are made very often: the driver runs them, nothing stands between.

Everything else goes through a session. A read takes 6.9 times as long there, one of twenty statements of a
transaction 1.8 times (``./dev bench prepared``, 32 at once). A worker that only makes such reads never loads
SQLAlchemy, which is a third of a cold start (``./dev bench cold``).
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from shared.database import failures

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

type Ask[Found] = Callable[[Any], Awaitable[Found]]

#: A literal, which is passed over, or a parameter. Two colons are a cast.
_LITERAL_OR_PARAMETER = re.compile(r"'[^']*'|(?<![:\w]):([a-z_]\w*)")


class _Prepared:
    """A statement in SQL with parameters such as ``:tenant``."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._statement, self._names = _numbered(sql)

    async def _fetch(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        values = [parameters[name] for name in self._names]
        found: Sequence[asyncpg.Record] = await driver.fetch(self._statement, *values)
        return found


class PreparedRead(_Prepared):
    """A read that nearly every request makes.

    Its columns come as the driver reads them. JSON must be cast to text: whether it is decoded depends on the
    connection.
    """

    async def rows(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """What it finds on a connection of asyncpg; raises what that raises."""
        return await self._fetch(driver, parameters)


class PreparedWrite(_Prepared):
    """A statement that a transaction makes very often.

    JSON goes in and comes out as text: nothing of SQLAlchemy's types stands between.
    """

    async def rows(self, session: "AsyncSession", parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        """What it returns, within the transaction of the session.

        Raises Unavailable for what passes, as ``Database.session`` does, and what asyncpg raises otherwise.
        """
        return await in_transaction(session, lambda driver: self._fetch(driver, parameters))


async def in_transaction[Found](session: "AsyncSession", ask: Ask[Found]) -> Found:
    """What ``ask`` gets from the driver's connection, within the transaction of the session.

    Raises as :meth:`PreparedWrite.rows` does.
    """
    from sqlalchemy import text

    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy opens the transaction with its own first statement: this one would commit by itself.
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
    """The statement with ``$1`` and so on, as the server takes it, and the parameters in that order."""
    numbers: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        return found[0] if name is None else f"${numbers.setdefault(name, len(numbers) + 1)}"

    return _LITERAL_OR_PARAMETER.sub(number, sql), tuple(numbers)
