"""Reads that nearly every request makes: SQLAlchemy writes the statement once, the driver alone runs it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg


class PreparedRead:
    """A statement of named parameters (``bindparam``); compiled at its first use."""

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement

    async def rows(self, driver: Any, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """What it finds on a connection of asyncpg; raises what that raises."""
        statement, names = self._compiled
        rows: Sequence[Mapping[str, Any]] = await driver.fetch(
            statement, *[parameters[name] for name in names]
        )
        return rows

    @cached_property
    def _compiled(self) -> tuple[str, tuple[str, ...]]:
        """The statement as the server gets it, and the parameters in its order."""
        compiled = self.statement.compile(dialect=PGDialect_asyncpg())  # type: ignore[no-untyped-call]
        return str(compiled), tuple(compiled.positiontup or ())
