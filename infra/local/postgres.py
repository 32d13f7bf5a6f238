"""PostgreSQL for the local system: roles and databases on our own server or on that of ``DATABASE_URL``."""

import hashlib
import hmac
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from infra.local.errors import DamagedState, LocalError
from infra.local.postgres_process import PostgresProcess
from infra.local.state_folder import identity

#: Owns the database and runs the migrations.
OWNER = "app_owner"
#: What the app runs as: no superuser, owns nothing.
USER = "app_user"
DATABASE = "admin_assistant"

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Postgres:
    """A PostgreSQL with the roles ``app_owner`` and ``app_user`` and a database for the app.

    Without ``DATABASE_URL`` it is our own server below ``folder`` with the database ``admin_assistant``. With
    it, that server is used. Its role must be permitted to create roles and databases. The database is the one
    in the URL. If the URL names none or ``postgres``, it is a new one for each folder. A role without these
    rights is taken for the app itself, and migrations then need ``DATABASE_OWNER_URL``.
    """

    def __init__(
        self, folder: Path, *, environ: Mapping[str, str] | None = None, log: Path | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        given = environ.get("DATABASE_URL", "").strip()
        self._admin: URL | None = _parsed(given, "DATABASE_URL") if given else None
        owner = environ.get("DATABASE_OWNER_URL", "").strip()
        self._owner: URL | None = _parsed(owner, "DATABASE_OWNER_URL") if given and owner else None
        self._process = None if given else PostgresProcess(folder, log)
        self._unprivileged = False
        self._ready = False
        named = self._admin.database if self._admin else DATABASE
        if not named or named in {"postgres", "template1"}:
            # Several systems may use one server, but never one database.
            named = f"{DATABASE}_{identity(folder)}"
        #: The database the app uses.
        self.database = named

    @property
    def external(self) -> bool:
        """Whether the server is that of ``DATABASE_URL``."""
        return self._process is None

    @property
    def created(self) -> bool:
        """Whether the start made a new, empty server of ours."""
        return self._process is not None and self._process.created

    @property
    def serving(self) -> bool:
        """Whether it was started and, if it is a server of ours, its process has not ended."""
        return self._ready and (self._process is None or self._process.running)

    @property
    def pid(self) -> int | None:
        """Process id of our own server."""
        return self._process.pid if self._process else None

    @property
    def data_folder(self) -> Path | None:
        """Where our own server keeps its data, known after the start."""
        return self._process.data_folder if self._process else None

    async def start(self, *, expected: bool = False) -> None:
        """Start the server, then create missing roles and the database.

        Raises :class:`LocalError` with one line when it cannot start, cannot be reached or does not permit
        it. It is also raised when our own server that is ``expected`` to exist is gone.
        """
        if self._process:
            await self._process.start(expected=expected)
            self._admin = URL.create(
                "postgresql",
                username="postgres",
                database="postgres",
                query={"host": str(self._process.socket_folder)},
            )
        try:
            await self._make_roles()
            await self._make_database()
            self._ready = True
        except BaseException:
            await self.stop()
            raise

    async def has_table(self, name: str) -> bool:
        """Whether the app's database has a table of that name."""
        url = make_url(self.url(OWNER)).set(drivername="postgresql")
        try:
            connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise DamagedState(f"no connection to the database {self.database}: {error}") from error
        try:
            return await connection.fetchval("SELECT to_regclass($1)", name) is not None
        finally:
            await connection.close()

    async def stop(self) -> None:
        """Stop our own server; a server of ``DATABASE_URL`` is left alone."""
        self._ready = False
        if self._process:
            await self._process.stop()

    async def kill(self) -> None:
        """SIGKILL our own server, as a crash would; ``start`` brings it back with all rows."""
        if self._process:
            await self._process.kill()

    async def wait(self) -> int:
        """Wait until our own server ends; raises ``RuntimeError`` for one that is not ours."""
        if self._process is None:
            raise RuntimeError("the server of DATABASE_URL is not ours to wait for")
        return await self._process.wait()

    def url(self, role: str = USER, database: str | None = None) -> str:
        """SQLAlchemy URL (``postgresql+asyncpg://``) of a role (``app_owner``, ``app_user``) and database."""
        admin = self._started()
        url = self._owner if role == OWNER and self._owner else admin
        if not self._unprivileged:
            url = admin.set(username=role)
            if self._process is None:
                url = url.set(password=_role_password(admin, role))
        url = url.set(drivername="postgresql+asyncpg", database=database or self.database)
        return url.render_as_string(hide_password=False)

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database owned by ``app_owner``, cloned from a template if one is named; returns its name.

        The template must have no connections. Raises ``ValueError`` for a name that is no plain identifier,
        asyncpg's errors otherwise.
        """
        clone = f' TEMPLATE "{_checked(template)}"' if template else ""
        async with self._connection() as connection:
            await connection.execute(f'CREATE DATABASE "{_checked(name)}" OWNER {OWNER}{clone}')
        return name

    async def drop_database(self, name: str) -> None:
        """Drop a database and end its connections; does nothing when it is absent."""
        async with self._connection() as connection:
            await connection.execute(f'DROP DATABASE IF EXISTS "{_checked(name)}" WITH (FORCE)')

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _make_roles(self) -> None:
        async with self._connection() as connection:
            facts = await connection.fetchrow(
                "SELECT rolname, rolsuper, rolcreaterole AND rolcreatedb AS able FROM pg_roles"
                " WHERE rolname = current_user"
            )
            if not (facts["rolsuper"] or facts["able"]):
                self._unprivileged = True
                if self._owner is None:
                    raise LocalError(
                        f"DATABASE_URL: role {facts['rolname']} may not make roles and databases; "
                        "name one that may, or add DATABASE_OWNER_URL for the migrations"
                    )
                return
            for role in (OWNER, USER):
                await self._make_role(connection, role)
            if not facts["rolsuper"]:
                await connection.execute(f"GRANT {OWNER} TO CURRENT_USER")

    async def _make_role(self, connection: Any, role: str) -> None:
        password = ""  # nosec B105 - a server of our own has none
        if self._process is None:
            password = f" PASSWORD '{_role_password(self._started(), role)}'"
        try:
            await connection.execute(
                f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE{password}"
            )
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            if password:
                await connection.execute(f"ALTER ROLE {role} LOGIN{password}")

    async def _make_database(self) -> None:
        if self._unprivileged:
            return
        async with self._connection() as connection:
            owner = await connection.fetchval(
                "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1", self.database
            )
            if owner is None:
                await connection.execute(f'CREATE DATABASE "{_checked(self.database)}" OWNER {OWNER}')
            elif owner != OWNER:
                await connection.execute(f'ALTER DATABASE "{_checked(self.database)}" OWNER TO {OWNER}')

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        admin = self._started()
        # CREATE DATABASE cannot run from the database it copies, and the app's may not exist yet.
        url = admin if self._unprivileged or self._process else admin.set(database="postgres")
        try:
            connection = await asyncpg.connect(
                url.set(drivername="postgresql").render_as_string(hide_password=False)
            )
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise LocalError(
                f"no connection to {admin.render_as_string(hide_password=True)}: {error}"
            ) from error
        try:
            yield connection
        finally:
            await connection.close()

    def _started(self) -> URL:
        if self._admin is None:
            raise RuntimeError("PostgreSQL was never started")
        return self._admin


def _parsed(text: str, name: str) -> URL:
    try:
        url = make_url(text.replace("postgres://", "postgresql://", 1))
    except ArgumentError as error:
        raise LocalError(f"{name} is not a database URL") from error
    if url.get_backend_name() != "postgresql":
        raise LocalError(f"{name} must name a PostgreSQL server, not {url.get_backend_name()}")
    return url


def _role_password(admin: URL, role: str) -> str:
    # Derived, not random: several systems may use one server, and none may lock the other out.
    key = f"{admin.username}:{admin.password or ''}".encode()
    return hmac.new(key, role.encode(), hashlib.sha256).hexdigest()[:32]


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a plain database name: {name!r}")
    return name
