"""One transaction for several sessions, joined through a context variable. Services need no change."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Optional

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

_current: ContextVar[Optional["UnitOfWork"]] = ContextVar("unit_of_work", default=None)


class UnitOfWork:
    """An open transaction. Its sessions take turns, because they share one connection."""

    def __init__(self, database: object, connection: AsyncConnection) -> None:
        self._database = database
        self._connection = connection
        self._turn = asyncio.Lock()
        self._holder: asyncio.Task[object] | None = None
        self._open = True

    @staticmethod
    def current(database: object) -> Optional["UnitOfWork"]:
        """The open unit on this database to which the running task belongs."""
        unit = _current.get()
        return unit if unit is not None and unit._open and unit._database is database else None

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Let the sessions of this task, and of tasks that it starts, join until the end of the block."""
        token = _current.set(self)
        try:
            yield
        finally:
            # A task that outlives the block keeps the variable. Its later sessions are independent.
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
        """A session in a savepoint, rolled back alone after any exception.

        Without ``savepoint``, nothing of the unit can be kept after an exception. Raises RuntimeError if the
        same task has one open, because it would wait for itself (a deadlock).
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
                    # If releasing a savepoint is interrupted, nothing closes it. The surrounding one would
                    # then fail, because it is no longer the connection's current one.
                    await left.close()
