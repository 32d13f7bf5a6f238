"""Reads that nearly every request makes: SQLAlchemy writes the statement once, the driver alone runs it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import asyncpg
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn


class PreparedRead:
    """A statement of named parameters (``bindparam``); compiled at its first use."""

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement

    async def rows(self, engine: AsyncEngine, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """What it finds, on a connection of the engine's pool and outside of any transaction.

        Raises what asyncpg raises. A connection on which anything but a refusal of the server went wrong,
        or that was given up waiting for, is not used again.
        """
        statement, names = self._compiled
        lent = await engine.raw_connection()
        try:
            driver: Any = lent.driver_connection
            rows: Sequence[Mapping[str, Any]] = await driver.fetch(
                statement, *[parameters[name] for name in names]
            )
        except asyncpg.PostgresError:
            await greenlet_spawn(lent.close)
            raise
        except BaseException:
            # Outside of a greenlet it is cut off at once, without waiting for the server.
            lent.invalidate()
            raise
        await greenlet_spawn(lent.close)
        return rows

    @cached_property
    def _compiled(self) -> tuple[str, tuple[str, ...]]:
        """The statement as the server gets it, and the parameters in its order."""
        compiled = self.statement.compile(dialect=PGDialect_asyncpg())  # type: ignore[no-untyped-call]
        return str(compiled), tuple(compiled.positiontup or ())
