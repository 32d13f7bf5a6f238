"""One PostgreSQL for all workers of a test run, and a migrated database for each of them.

The first worker that needs it starts ``python -m tests.support.postgres``. That process owns the server and
migrates a template once. It ends when the worker's end of the pipe closes, even if the worker was killed. The
others clone the template. With ``DATABASE_URL`` the server is that one, and its databases are dropped at the
end.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from infra.local.errors import LocalError
from infra.local.postgres import OWNER, USER, Postgres
from shared.database import migrate
from tests.support.settings import make_settings

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class TestServer:
    """Where the server of this test run is: URLs of its administrator and of the migrated template."""

    __test__ = False

    admin: str
    owner: str
    user: str
    template: str

    def urls(self, database: str) -> "TestDatabase":
        """The URLs of one database on this server."""
        return TestDatabase(
            database,
            *(
                make_url(url).set(database=database).render_as_string(hide_password=False)
                for url in (self.admin, self.owner, self.user)
            ),
        )

    async def clone(self, label: str) -> "TestDatabase":
        """A new database with the migrated schema and no rows."""
        return await self.create(label, self.template)

    async def create(self, label: str, template: str = "template1") -> "TestDatabase":
        """A new database owned by ``app_owner``."""
        name = f"test_{label}_{secrets.token_hex(4)}"
        async with administrator(self.admin) as connection:
            await connection.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE "{template}"')
        return self.urls(name)

    async def drop(self, name: str) -> None:
        """Drop a database, with any connections to it."""
        async with administrator(self.admin) as connection:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@dataclass(frozen=True, slots=True)
class TestDatabase:
    """URLs of one database for the administrator, the owner of its tables and the app."""

    __test__ = False

    name: str
    admin: str
    owner: str
    user: str


@contextlib.asynccontextmanager
async def administrator(url: str) -> Any:
    """A plain asyncpg connection outside of any transaction."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


def run_blocking[Result](work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end on an event loop of its own, leaving the test's loop alone."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@contextmanager
def shared_server(folder: Path) -> Iterator[TestServer]:
    """The server of the test run whose workers share ``folder``; it ends after the last of them."""
    with (folder / "postgres.users").open("a") as users, (folder / "postgres.lock").open("a") as lock:
        ready = folder / "postgres.json"
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = None if ready.exists() else _start(ready)
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(lock, fcntl.LOCK_UN)
        try:
            yield TestServer(**json.loads(ready.read_text()))
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if process is not None:
                # Granted when no worker uses the server any more. A dead worker's lock is released
                # automatically.
                fcntl.flock(users, fcntl.LOCK_EX)
                fcntl.flock(lock, fcntl.LOCK_EX)
                ready.unlink()
                _stop(process)


def _start(ready: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.postgres"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    if not (answer := process.stdout.readline()):
        _stop(process)
        raise RuntimeError("PostgreSQL for the tests did not start; the reason is above")
    ready.write_text(answer)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


async def _serve(folder: Path) -> None:
    async with Postgres(folder / "postgres") as postgres:
        server = TestServer(
            admin=os.environ.get("DATABASE_URL", "").strip() or postgres.url("postgres", "postgres"),
            owner=postgres.url(OWNER),
            user=postgres.url(USER),
            template="",
        )
        await _serve_databases(server)


async def _serve_databases(server: TestServer) -> None:
    template = await server.create("template")
    try:
        await migrate.upgrade(
            make_settings(database_url=template.user, migration_database_url=template.owner)
        )
        answer = TestServer(**(asdict(server) | {"template": template.name}))
        sys.stdout.write(json.dumps(asdict(answer)) + "\n")
        sys.stdout.flush()
        # The worker never writes: this returns when its end of the pipe is closed.
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await server.drop(template.name)


def _main() -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="admin-assistant-tests-") as name:
            folder = Path(name)
            # The server does not run as root, so its account must get to the folder.
            folder.chmod(0o755)
            asyncio.run(_serve(folder))
    except LocalError as error:
        sys.stderr.write(f"tests: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
