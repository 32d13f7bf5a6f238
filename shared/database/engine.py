"""The one engine of the process, and the only way to get a session (design.md Database)."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from sqlalchemy import event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from shared.database import failures
from shared.database.connection_url import connect_arguments
from shared.database.constraint_errors import constraint_error
from shared.database.entra import EntraPassword
from shared.database.pool_checks import check_connections
from shared.database.prepared import PreparedRead
from shared.database.read_connections import ReadConnections
from shared.database.silence import SilenceWatch
from shared.database.unit_of_work import UnitOfWork
from shared.errors import AdminAssistantError, Unavailable
from shared.settings import Settings

APPLICATION_NAME = "admin-assistant"
#: Connections are replaced after this many seconds, because load balancers silently drop idle ones.
_RECYCLE_SECONDS = 1800
#: After a server has let a connection wait in vain, nobody tries another for this time (seconds).
_SILENT_SECONDS = 2.0
_WHO_AM_I = text("""
    SELECT current_user AS name, rolsuper AS superuser,
           EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass('audit_entries')
                    AND pg_has_role(current_user, relowner, 'MEMBER')) AS owner
      FROM pg_roles WHERE rolname = current_user
""")


class PrivilegedDatabaseRoleError(AdminAssistantError):
    """The app is connected as a superuser or as the owner of the tables, so the audit is not protected."""

    code = "privileged_database_role"
    title = "Database role has too many rights"


class Database:
    """Sessions on one pool of asyncpg connections, created on first use in the running event loop.

    The first use refuses a superuser and the owner of the tables (:class:`PrivilegedDatabaseRoleError`). Use
    from another event loop raises RuntimeError.
    """

    def __init__(self, settings: Settings, *, application_name: str = APPLICATION_NAME) -> None:
        self._settings = settings
        self._application_name = application_name
        self._engine: AsyncEngine | None = None
        self._autocommit: AsyncEngine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._entra: EntraPassword | None = None
        self._role_check: asyncio.Lock | None = None
        self._role_checked = False
        self._closed = False
        #: Time of the loop until which no connection is tried.
        self._silent_until = 0.0
        self._arguments: dict[str, Any] = {}
        #: Bounds the wait of a reader where the server is frozen.
        self.silence = SilenceWatch(self._answers)
        connections = settings.database_pool_size + settings.database_max_overflow
        self._units = asyncio.Semaphore(max(1, connections // 2))
        # The pool keeps all of them open. Extra connections would be opened and closed with every wave of
        # requests.
        self._reads = ReadConnections(settings.database_pool_size, settings.database_pool_timeout)

    @asynccontextmanager
    async def session(self, *, apart: bool = False, savepoint: bool = True) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back on any exception or cancellation.

        - Its objects stay readable after the commit.
        - Inside :meth:`unit_of_work` it is a savepoint of that transaction. With ``apart`` it is separate,
          for writes that must stay whatever happens to the unit.
        - Without ``savepoint`` it needs two round trips less, but the unit must end after an exception.

        Raises Unavailable if no connection is available, the connection breaks, or a timeout or deadlock
        ended the transaction. Raises Conflict (AlreadyExists) if a constraint refuses a write.
        """
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
        """A session for reads only, without a transaction: half the round trips of :meth:`session`.

        Each statement sees what is committed when it starts, as in a transaction (READ COMMITTED). Raises as
        :meth:`session` does, and RuntimeError if its objects are changed. Inside a unit of work it is one of
        the unit's sessions.
        """
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

    async def fetch(self, read: PreparedRead, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The rows of one statement, read as by :meth:`reading` but much cheaper.

        Raises as :meth:`reading` does. Inside a unit of work it sees the unit's writes.
        """
        if UnitOfWork.current(self) is not None:
            async with self.session() as session:
                found = await session.execute(read.statement, dict(parameters))
                return [dict(row) for row in found.mappings()]
        try:
            await self.refuse_superuser()
            return await self._reads.run(self.engine, lambda driver: read.rows(driver, parameters))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, PoolTimeout, DBAPIError) as error:
            told = self._as_ours(error)
            if told is None:
                raise
            raise told from error

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        """One transaction that every session of this task joins: all are committed, or none.

        A unit may last as long as a call of Graph, so units get at most half of the pool's connections.
        Raises as :meth:`session` does, and RuntimeError inside another unit.
        """
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
        """A unit of work that is rolled back. Inside an open unit it is a savepoint of that.

        Raises as :meth:`session` does.
        """
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
        patience = self._settings.database_pool_timeout
        try:
            async with asyncio.timeout(patience):
                await places.acquire()
        except TimeoutError as error:
            raise failures.pool_exhausted(error, patience) from error
        try:
            yield
        finally:
            places.release()

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """Turn failures of the database into errors of the product."""
        try:
            await self.refuse_superuser()
            yield
        except (PoolTimeout, DBAPIError) as error:
            told = self._as_ours(error)
            if told is None:
                raise
            raise told from error

    def _as_ours(
        self, error: asyncpg.PostgresError | asyncpg.InterfaceError | OSError | PoolTimeout | DBAPIError
    ) -> AdminAssistantError | None:
        """A failure of the driver or of SQLAlchemy as an error of the product. None if it is a defect."""
        if isinstance(error, PoolTimeout):
            return failures.pool_exhausted(error, self._settings.database_pool_timeout)
        if isinstance(error, IntegrityError):
            return constraint_error(error)
        if isinstance(error, DBAPIError):
            return failures.passing_failure(error)
        return failures.driver_failure(error)

    async def ping(self) -> None:
        """One round trip. Raises Unavailable if the database does not answer."""
        async with self.session() as session:
            await session.execute(text("SELECT 1"))

    async def revision(self) -> str | None:
        """The migration revision of the database, None before the first. Raises Unavailable like ``ping``."""
        async with self.session() as session:
            if not (
                await session.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
            ).scalar():
                return None
            found = await session.execute(text("SELECT version_num FROM alembic_version"))
            return found.scalar_one_or_none()

    async def refuse_superuser(self) -> None:
        """Raise PrivilegedDatabaseRoleError for a superuser or the tables' owner. Asks the server once."""
        if self._role_checked:
            return
        engine = self.engine
        if self._role_check is None:
            self._role_check = asyncio.Lock()
        async with self._role_check:
            if not self._role_checked:
                await _refuse_privileged_role(engine)
                self._role_checked = True

    async def close(self) -> None:
        """Close idle connections and refuse further use. Connections in use close when returned."""
        self._closed = True
        engine, self._engine, self._autocommit = self._engine, None, None
        entra, self._entra = self._entra, None
        if engine is not None:
            await engine.dispose()
        if entra is not None:
            await entra.close()

    @property
    def engine(self) -> AsyncEngine:
        """The engine of the running loop, created if needed. Repositories take sessions, not this."""
        if self._closed:
            raise RuntimeError("the database was closed")
        loop = asyncio.get_running_loop()
        if self._engine is None:
            self._engine, self._loop = self._make_engine(), loop
        elif self._loop is not loop:
            raise RuntimeError("the database belongs to another event loop")
        return self._engine

    @property
    def _reading_engine(self) -> AsyncEngine:
        """The same pool without transactions. Created once, because creating it costs as much as a query."""
        engine = self.engine
        if self._autocommit is None:
            self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        return self._autocommit

    def _make_engine(self) -> AsyncEngine:
        settings = self._settings
        url = settings.database_url.get_secret_value()
        arguments = connect_arguments(settings, url, self._application_name)
        if settings.database_entra_auth:
            self._entra = EntraPassword.create(settings)
            arguments["password"] = self._entra
        self._arguments = arguments
        engine = create_async_engine(
            url,
            async_creator=self._connect,
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_max_overflow,
            pool_timeout=settings.database_pool_timeout,
            pool_recycle=_RECYCLE_SECONDS,
            pool_use_lifo=True,
            json_serializer=_to_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "handle_error", _broken_connection)
        check_connections(engine.sync_engine)
        return engine

    async def _connect(self) -> Any:
        """A connection of the driver; raises Unavailable, from TimeoutError if the server said nothing.

        A frozen server accepts and says nothing. One request waits for that; those after it need not.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._silent_until:
            silent = TimeoutError("it said nothing a moment ago")
            raise failures.connection_failure(silent) from silent
        try:
            return await asyncpg.connect(**self._arguments)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if isinstance(error, TimeoutError):
                self._silent_until = loop.time() + _SILENT_SECONDS
            raise failures.connection_failure(error) from error

    async def _answers(self) -> bool:
        """Whether the server lets a new connection in, or refuses it."""
        if self._engine is None:
            return True
        try:
            connection = await self._connect()
        except Unavailable as error:
            return not isinstance(error.__cause__, TimeoutError)
        connection.terminate()
        return True


class _ReadingSession(Session):
    """Refuses to write, because a write would be committed at once, without its audit."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        if self.new or self.dirty or self.deleted:
            raise RuntimeError("a session for reading has nothing to write")


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


async def _refuse_privileged_role(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        role = (await connection.execute(_WHO_AM_I)).one()
    if role.superuser or role.owner:
        what = "a superuser" if role.superuser else "the owner of the tables"
        raise PrivilegedDatabaseRoleError(
            f"The database role {role.name!r} is {what}: connect as app_user (or a member of it),"
            " and name the owner in ADMIN_ASSISTANT_MIGRATION_DATABASE_URL."
        )
