"""Prepared statements for the few that run very often: SQLAlchemy compiles each once, the driver runs it.

All other statements use a session. There, a read takes 6.9 times as long, and one of twenty statements of a
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
    """A statement with named parameters (``bindparam``), compiled on first use."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause

    async def _fetch(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        statement, names = self._compiled
        found: Sequence[asyncpg.Record] = await driver.fetch(statement, *[parameters[name] for name in names])
        return found

    @cached_property
    def _compiled(self) -> tuple[str, tuple[str, ...]]:
        """The statement for the server, and its parameters in order."""
        compiled: Any = self._clause.compile(dialect=PGDialect_asyncpg())  # type: ignore[no-untyped-call]
        return str(compiled), tuple(compiled.positiontup or ())


class PreparedRead(_Prepared):
    """A read that nearly every request needs."""

    def __init__(self, statement: Select[Any]) -> None:
        super().__init__(statement)
        self.statement = statement

    async def rows(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The rows, read on a connection of asyncpg. Raises asyncpg's errors."""
        return await self._fetch(driver, parameters)


class PreparedWrite(_Prepared):
    """A statement that transactions run very often.

    JSON is passed as text in both directions, without SQLAlchemy's types.
    """

    def __init__(self, sql: str) -> None:
        super().__init__(text(sql))

    async def rows(self, session: AsyncSession, parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        """The returned rows, within the session's transaction.

        Raises Unavailable for a temporary failure, as ``Database.session`` does, else asyncpg's errors.
        """
        connection = await session.connection()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        if not driver.is_in_transaction():
            # SQLAlchemy opens the transaction with its own first statement. Without it, this one would commit
            # alone.
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
