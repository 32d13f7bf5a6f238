"""The only way to PostgreSQL: prepared reads, and sessions (design.md Database)."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg

from shared.database import failures, prepared
from shared.database.connection_sources import DriverConnections
from shared.database.connection_url import connect_arguments
from shared.database.entra import EntraPassword
from shared.database.prepared import PreparedRead
from shared.database.read_connections import ReadConnections
from shared.database.silence import SilenceWatch
from shared.errors import AdminAssistantError, Unavailable
from shared.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from shared.database.sessions import Sessions
    from shared.database.unit_of_work import UnitOfWork

APPLICATION_NAME = "admin-assistant"
#: After a server did not answer a connection, no other one is tried for this time (seconds).
_SILENT_SECONDS = 2.0
_WHO_AM_I = PreparedRead("""
    SELECT current_user AS name, rolsuper AS superuser,
           EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass('audit_entries')
                    AND pg_has_role(current_user, relowner, 'MEMBER')) AS owner
      FROM pg_roles WHERE rolname = current_user
""")
_PING = PreparedRead("SELECT 1")
_HAS_REVISION = PreparedRead("SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL")
_REVISION = PreparedRead("SELECT version_num FROM alembic_version")


class PrivilegedDatabaseRoleError(AdminAssistantError):
    """The app is connected as a superuser or as the owner of the tables, so the audit is not protected."""

    code = "privileged_database_role"
    title = "Database role has too many rights"


class Database:
    """Prepared reads and sessions on asyncpg connections, opened on first use in the running event loop.

    The first use refuses a superuser and the owner of the tables (:class:`PrivilegedDatabaseRoleError`). Use
    from another event loop raises RuntimeError. SQLAlchemy and its pool are loaded for the first session. A
    worker that only makes prepared reads needs neither (cold start).
    """

    def __init__(self, settings: Settings, *, application_name: str = APPLICATION_NAME) -> None:
        self._settings = settings
        self._application_name = application_name
        self._sessions: Sessions | None = None
        self._arguments: dict[str, Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._entra: EntraPassword | None = None
        self._role_check: asyncio.Lock | None = None
        self._role_checked = False
        self._closed = False
        #: Time of the loop until which no connection is tried.
        self._silent_until = 0.0
        #: Bounds the wait of a reader where the server is frozen.
        self.silence = SilenceWatch(self._answers)
        self._direct = DriverConnections(self._connect)
        self._handed_over: Any = None
        # The pool keeps all of them open. Extra connections would be opened and closed with every wave of
        # requests.
        self._reads = ReadConnections(settings.database_pool_size, settings.database_pool_timeout)

    def session(
        self, *, apart: bool = False, savepoint: bool = True
    ) -> "AbstractAsyncContextManager[AsyncSession]":
        """A session in one transaction: committed at the end, rolled back on any exception or cancellation.

        - Its objects stay readable after the commit.
        - Inside :meth:`unit_of_work` it is a savepoint of that transaction. With ``apart`` it is separate,
          for writes that must stay whatever happens to the unit.
        - Without ``savepoint`` it needs two round trips less, but the unit must end after an exception.

        Raises Unavailable if no connection is available, the connection breaks, or a timeout or deadlock
        ended the transaction. Raises Conflict (AlreadyExists) if a constraint refuses a write.
        """
        return self._with_sessions.session(apart=apart, savepoint=savepoint)

    def reading(self) -> "AbstractAsyncContextManager[AsyncSession]":
        """A session for reads only, without a transaction: half the round trips of :meth:`session`.

        Each statement sees what is committed when it starts, as in a transaction (READ COMMITTED). Raises as
        :meth:`session` does, and RuntimeError if its objects are changed. Inside a unit of work it is one of
        the unit's sessions.
        """
        return self._with_sessions.reading()

    async def fetch(self, read: PreparedRead, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The rows of one statement, read as by :meth:`reading` but much cheaper.

        Raises as :meth:`reading` does. Inside a unit of work it sees the unit's writes.
        """
        if self.in_unit_of_work:
            ask = partial(read.rows, parameters=parameters)
            async with self.session() as session:
                return await prepared.in_transaction(session, ask)
        await self.refuse_superuser()
        return await self._read(read, parameters)

    def unit_of_work(self) -> "AbstractAsyncContextManager[UnitOfWork]":
        """One transaction that every session of this task joins: all are committed, or none.

        A unit may last as long as a call of Graph, so units get at most half of the pool's connections.
        Raises as :meth:`session` does, and RuntimeError inside another unit.
        """
        return self._with_sessions.unit_of_work()

    def rehearsal(self) -> "AbstractAsyncContextManager[None]":
        """A unit of work that is rolled back. Inside an open unit it is a savepoint of that.

        Raises as :meth:`session` does.
        """
        return self._with_sessions.rehearsal()

    @property
    def in_unit_of_work(self) -> bool:
        """Whether the running task belongs to an open unit of work."""
        return self._sessions is not None and self._sessions.in_unit

    async def ping(self) -> None:
        """One round trip. Raises Unavailable if the database does not answer."""
        await self.fetch(_PING, {})

    async def revision(self) -> str | None:
        """The migration revision of the database, None before the first. Raises Unavailable like ``ping``."""
        if not await self.fetch(_HAS_REVISION, {}):
            return None
        found = await self.fetch(_REVISION, {})
        return str(found[0]["version_num"]) if found else None

    async def refuse_superuser(self) -> None:
        """Raise PrivilegedDatabaseRoleError for a superuser or the tables' owner. Asks the server once."""
        if self._role_checked:
            return
        self._on_its_loop()
        if self._role_check is None:
            self._role_check = asyncio.Lock()
        async with self._role_check:
            if not self._role_checked:
                (role,) = await self._read(_WHO_AM_I, {})
                _refuse_privileged(role)
                self._role_checked = True

    async def close(self) -> None:
        """Close idle connections and refuse further use. Connections in use close when returned."""
        self._closed = True
        self._direct.close()
        if self._handed_over is not None:
            self._handed_over.terminate()
            self._handed_over = None
        sessions, self._sessions = self._sessions, None
        entra, self._entra = self._entra, None
        if sessions is not None:
            await sessions.close()
        if entra is not None:
            await entra.close()

    @property
    def engine(self) -> "AsyncEngine":
        """The engine of the running loop, created if needed. Repositories take sessions, not this."""
        return self._with_sessions.engine

    @property
    def _with_sessions(self) -> "Sessions":
        self._on_its_loop()
        if self._sessions is None:
            from shared.database.sessions import Sessions

            self._sessions = Sessions(self._settings, self._make_engine(), self.refuse_superuser)
            self._handed_over = self._direct.hand_over()
        return self._sessions

    def _make_engine(self) -> "AsyncEngine":
        from shared.database.sessions import make_engine

        return make_engine(self._settings, self._connect_for_pool)

    def _on_its_loop(self) -> None:
        if self._closed:
            raise RuntimeError("the database was closed")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("the database belongs to another event loop")

    async def _read(self, read: PreparedRead, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        self._on_its_loop()
        source = self._direct if self._sessions is None else self._sessions
        try:
            return await self._reads.run(source, lambda driver: read.rows(driver, parameters))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            told = failures.driver_failure(error)
            if told is None:
                raise
            raise told from error

    async def _connect_for_pool(self) -> Any:
        # A first request reads before it opens a session: its connection serves for both.
        driver, self._handed_over = self._handed_over, None
        return await self._connect() if driver is None else driver

    async def _connect(self) -> Any:
        """A connection of the driver; raises Unavailable, from TimeoutError if the server said nothing.

        A frozen server accepts and says nothing. One request waits for that; those after it need not.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._silent_until:
            silent = TimeoutError("it said nothing a moment ago")
            raise failures.connection_failure(silent) from silent
        try:
            return await asyncpg.connect(**self._connect_arguments())
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if isinstance(error, TimeoutError):
                self._silent_until = loop.time() + _SILENT_SECONDS
            raise failures.connection_failure(error) from error

    async def _answers(self) -> bool:
        """Whether the server lets a new connection in, or refuses it."""
        if self._arguments is None or self._closed:
            return True
        try:
            connection = await self._connect()
        except Unavailable as error:
            return not isinstance(error.__cause__, TimeoutError)
        connection.terminate()
        return True

    def _connect_arguments(self) -> dict[str, Any]:
        if self._arguments is None:
            settings = self._settings
            url = settings.database_url.get_secret_value()
            arguments = connect_arguments(settings, url, self._application_name)
            if settings.database_entra_auth:
                self._entra = EntraPassword.create(settings)
                arguments["password"] = self._entra
            self._arguments = arguments
        return self._arguments


def _refuse_privileged(role: Mapping[str, Any]) -> None:
    if role["superuser"] or role["owner"]:
        what = "a superuser" if role["superuser"] else "the owner of the tables"
        raise PrivilegedDatabaseRoleError(
            f"The database role {role['name']!r} is {what}: connect as app_user (or a member of it),"
            " and name the owner in ADMIN_ASSISTANT_MIGRATION_DATABASE_URL."
        )
