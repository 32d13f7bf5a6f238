"""One transaction for several sessions, joined through a context variable: services stay as they are."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Optional

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

_current: ContextVar[Optional["UnitOfWork"]] = ContextVar("unit_of_work", default=None)


class UnitOfWork:
    """An open transaction. Its sessions take turns: they share one connection."""

    def __init__(self, database: object, connection: AsyncConnection) -> None:
        self._database = database
        self._connection = connection
        self._turn = asyncio.Lock()
        self._holder: asyncio.Task[object] | None = None
        self._open = True

    @staticmethod
    def current(database: object) -> Optional["UnitOfWork"]:
        """The open unit on this database that the running task is part of."""
        unit = _current.get()
        return unit if unit is not None and unit._open and unit._database is database else None

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Let the sessions of this task, and of tasks it starts, join until the end of the block."""
        token = _current.set(self)
        try:
            yield
        finally:
            # A task that outlives the block keeps the variable: its later sessions stand on their own.
            self._open = False
            _current.reset(token)

    @asynccontextmanager
    async def undone(self) -> AsyncIterator[None]:
        """Roll back what the sessions of the block write."""
        savepoint = await self._connection.begin_nested()
        try:
            yield
        finally:
            await savepoint.rollback()

    @asynccontextmanager
    async def session(self, *, savepoint: bool = True) -> AsyncIterator[AsyncSession]:
        """A session in a savepoint, rolled back by itself on any exception.

        Without a ``savepoint`` nothing of the unit can be kept after an exception.
        Raises RuntimeError where the same task has one open: it would wait for itself for ever.
        """
        task = asyncio.current_task()
        if self._holder is task:
            raise RuntimeError("a session of this unit of work is open in this task already")
        async with self._turn:
            self._holder = task
            around = self._connection.get_nested_transaction()
            try:
                async with AsyncSession(
                    self._connection,
                    join_transaction_mode="create_savepoint" if savepoint else "rollback_only",
                    expire_on_commit=False,
                ) as session:
                    yield session
                    await session.commit()
            finally:
                self._holder = None
                left = self._connection.get_nested_transaction()
                if left is not None and left is not around:
                    # A savepoint whose release was broken off is closed by nobody: the one around it would
                    # find itself taken off the connection.
                    await left.close()
