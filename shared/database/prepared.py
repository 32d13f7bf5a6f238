"""Prepared statements for the few that are made very often: SQLAlchemy writes each once, the driver runs it.

Everything else goes through a session. A read takes 6.9 times as long there, one of twenty statements of a
transaction 1.8 times (``./dev bench prepared``, 32 at once).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import asyncpg
from sqlalchemy import ClauseElement, Select, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import failures

_BEGIN = text("SELECT 1")


class _Prepared:
    """A statement of named parameters (``bindparam``); compiled at its first use."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause

    async def _fetch(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        statement, names = self._compiled
        found: Sequence[asyncpg.Record] = await driver.fetch(statement, *[parameters[name] for name in names])
        return found

    @cached_property
    def _compiled(self) -> tuple[str, tuple[str, ...]]:
        """The statement as the server gets it, and the parameters in its order."""
        compiled: Any = self._clause.compile(dialect=PGDialect_asyncpg())  # type: ignore[no-untyped-call]
        return str(compiled), tuple(compiled.positiontup or ())


class PreparedRead(_Prepared):
    """A read that nearly every request makes."""

    def __init__(self, statement: Select[Any]) -> None:
        super().__init__(statement)
        self.statement = statement

    async def rows(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """What it finds on a connection of asyncpg; raises what that raises."""
        return await self._fetch(driver, parameters)


class PreparedWrite(_Prepared):
    """A statement that a transaction makes very often.

    JSON goes in and comes out as text: nothing of SQLAlchemy's types stands between.
    """

    def __init__(self, sql: str) -> None:
        super().__init__(text(sql))

    async def rows(self, session: AsyncSession, parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        """What it returns, within the transaction of the session.

        Raises Unavailable for what passes, as ``Database.session`` does, and what asyncpg raises otherwise.
        """
        connection = await session.connection()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        if not driver.is_in_transaction():
            # SQLAlchemy opens the transaction with its own first statement: this one would commit by itself.
            await session.execute(_BEGIN)
        try:
            return await self._fetch(driver, parameters)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if driver.is_closed() or not isinstance(error, asyncpg.PostgresError):
                await connection.invalidate(error)
            told = failures.driver_failure(error)
            if told is None:
                raise
            raise told from error
