"""SQLAlchemy's engine and its sessions, loaded when the first session is opened (design.md Database)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from shared.database import failures
from shared.database.connection_sources import RECYCLE_SECONDS, Borrowed
from shared.database.pool_checks import check_connections
from shared.database.session_failures import session_failure
from shared.database.unit_of_work import UnitOfWork
from shared.settings import Settings


class Sessions:
    """Sessions on one pool of asyncpg connections; ``Database`` tells what each method does."""

    def __init__(
        self, settings: Settings, engine: AsyncEngine, before: Callable[[], Awaitable[None]]
    ) -> None:
        """``before`` is awaited before each use of a session."""
        self._patience = settings.database_pool_timeout
        self._before = before
        self.engine = engine
        # The same pool without transactions. Created once, because creating it costs as much as a query.
        self._reading_engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        connections = settings.database_pool_size + settings.database_max_overflow
        self._units = asyncio.Semaphore(max(1, connections // 2))

    @property
    def in_unit(self) -> bool:
        """Whether the running task is part of an open unit of work."""
        return UnitOfWork.current(self) is not None

    async def borrow(self) -> Borrowed:
        """A connection of the pool. Raises Unavailable if none can be had."""
        async with self._translated():
            return _FromPool(await self.engine.raw_connection())

    @asynccontextmanager
    async def session(self, *, apart: bool = False, savepoint: bool = True) -> AsyncIterator[AsyncSession]:
        """See ``Database.session``."""
        unit = None if apart else UnitOfWork.current(self)
        async with self._told():
            if unit is not None:
                async with unit.session(savepoint=savepoint) as session:
                    yield session
                return
            # Closing rolls back what is open. It is shielded from a second cancellation.
            async with AsyncSession(self.engine, expire_on_commit=False) as session:
                yield session
                await session.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """See ``Database.reading``."""
        if UnitOfWork.current(self) is not None:
            async with self.session() as session:
                yield session
            return
        async with (
            self._told(),
            AsyncSession(
                self._reading_engine,
                sync_session_class=_ReadingSession,
                expire_on_commit=False,
            ) as session,
        ):
            yield session

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        """See ``Database.unit_of_work``."""
        if UnitOfWork.current(self) is not None:
            raise RuntimeError("a unit of work is open already")
        async with (
            self._turn(self._units),
            self._told(),
            self.engine.connect() as connection,
            connection.begin(),
        ):
            unit = UnitOfWork(self, connection)
            with unit.bound():
                yield unit

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[None]:
        """See ``Database.rehearsal``."""
        unit = UnitOfWork.current(self)
        if unit is not None:
            async with unit.undone():
                yield
            return
        async with self._turn(self._units), self._told(), self.engine.connect() as connection:
            begun = await connection.begin()
            try:
                with UnitOfWork(self, connection).bound():
                    yield
            finally:
                await begun.rollback()

    @asynccontextmanager
    async def _turn(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
        """One of the places, first come first served. The pool itself lets newcomers overtake."""
        try:
            async with asyncio.timeout(self._patience):
                await places.acquire()
        except TimeoutError as error:
            raise failures.pool_exhausted(error, self._patience) from error
        try:
            yield
        finally:
            places.release()

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """Turn failures of the database into errors of the product."""
        await self._before()
        async with self._translated():
            yield

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except (PoolTimeout, DBAPIError) as error:
            told = session_failure(error, self._patience)
            if told is None:
                raise
            raise told from error

    async def close(self) -> None:
        """Close every idle connection; those in use close when given back."""
        await self.engine.dispose()


@dataclass(frozen=True, slots=True)
class _FromPool:
    pooled: PoolProxiedConnection

    @property
    def driver(self) -> Any:
        return self.pooled.driver_connection

    async def give_back(self) -> None:
        await greenlet_spawn(self.pooled.close)

    def discard(self) -> None:
        # Outside a greenlet it is closed at once, without waiting for the server.
        self.pooled.invalidate()


class _ReadingSession(Session):
    """Refuses to write, because a write would be committed at once, without its audit."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        if self.new or self.dirty or self.deleted:
            raise RuntimeError("a session for reading has nothing to write")


def make_engine(settings: Settings, connect: Callable[[], Awaitable[Any]]) -> AsyncEngine:
    """An engine whose connections ``connect`` opens."""
    engine = create_async_engine(
        settings.database_url.get_secret_value(),
        async_creator=connect,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=settings.database_pool_timeout,
        pool_recycle=RECYCLE_SECONDS,
        pool_use_lifo=True,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "handle_error", _broken_connection)
    check_connections(engine.sync_engine)
    return engine


def _broken_connection(context: ExceptionContext) -> BaseException | None:
    # asyncpg passes socket errors and its own command timeout through unchanged. SQLAlchemy would then return
    # the broken connection to the pool.
    if not isinstance(context.original_exception, OSError):
        return None
    context.is_disconnect = True
    context.invalidate_pool_on_disconnect = False
    return failures.connection_failure(context.original_exception)


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()
