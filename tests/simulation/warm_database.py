"""The real database on connections that know what every new one would ask the server again."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import Database

type _Found = tuple[list[Any], Any]


class WarmDatabase(Database):
    """The real database, whose SQL is compiled once for all processes of all seeds."""

    _dialect: ClassVar[Any] = None
    _compiled: ClassVar[Any] = None

    def _make_engine(self) -> AsyncEngine:
        engine = super()._make_engine()
        inner: Any = engine.sync_engine
        kind = WarmDatabase
        if kind._dialect is None:
            kind._dialect, kind._compiled = inner.dialect, inner._compiled_cache
        else:
            # What it asks of a server it knows.
            inner.dialect.initialize = lambda connection: None
            inner.dialect, inner._compiled_cache = kind._dialect, kind._compiled
        return engine


class KnownTypes:
    """What the server said about types that asyncpg does not know, such as ranges.

    Only the seed that warms a process up learns them. How often a world asks must not depend on the worlds
    before it.
    """

    def __init__(self) -> None:
        self.learning = True
        self._found: dict[frozenset[int], list[Any]] = {}

    def knowing(self, ask: Callable[..., Awaitable[_Found]]) -> Callable[..., Awaitable[_Found]]:
        """asyncpg's question, put to the server only if the answer is not known."""

        async def introspect(connection: Any, typeoids: Any, timeout: float | None) -> _Found:  # noqa: ASYNC109
            wanted = frozenset(typeoids)
            if wanted in self._found:
                # All our statements are named, so that asking spoils none of them.
                return self._found[wanted], _Named()
            rows, statement = await ask(connection, typeoids, timeout)
            if self.learning:
                self._found[wanted] = rows
            return rows, statement

        return introspect


class _Named:
    """Replaces the statement of a question that was not asked."""

    name = "known"


@contextmanager
def known_types() -> Iterator[KnownTypes]:
    """Inside, connections share what they learn of types."""
    kind: Any = asyncpg.Connection
    kept = kind._introspect_types
    known = KnownTypes()
    kind._introspect_types = known.knowing(kept)
    try:
        yield known
    finally:
        kind._introspect_types = kept
