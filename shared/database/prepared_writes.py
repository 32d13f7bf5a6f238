"""Statements that a transaction makes very often: SQLAlchemy writes each once, the driver alone runs it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import failures

_BEGIN = text("SELECT 1")


class PreparedWrite:
    """A statement of named parameters, compiled at its first use.

    JSON goes in and comes out as text: nothing of SQLAlchemy's types stands between.
    """

    def __init__(self, sql: str) -> None:
        self._sql = sql

    async def rows(self, session: AsyncSession, parameters: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        """What it returns, within the transaction of the session.

        Raises Unavailable for what passes, as ``Database.session`` does, and what asyncpg raises otherwise.
        """
        connection = await session.connection()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        if not driver.is_in_transaction():
            # SQLAlchemy opens the transaction with its own first statement: this one would commit by itself.
            await session.execute(_BEGIN)
        statement, names = self._compiled
        try:
            found: Sequence[asyncpg.Record] = await driver.fetch(
                statement, *[parameters[name] for name in names]
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if driver.is_closed() or not isinstance(error, asyncpg.PostgresError):
                await connection.invalidate(error)
            told = failures.driver_failure(error)
            if told is None:
                raise
            raise told from error
        return found

    @cached_property
    def _compiled(self) -> tuple[str, tuple[str, ...]]:
        """The statement as the server gets it, and the parameters in its order."""
        compiled: Any = text(self._sql).compile(dialect=PGDialect_asyncpg())  # type: ignore[no-untyped-call]
        return str(compiled), tuple(compiled.positiontup or ())
