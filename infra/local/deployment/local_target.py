"""A real system on this machine that runs from packages alone: a Target to rehearse deployments on."""

import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import asyncpg
import httpx

from infra.local.deployment.artefacts import Artefact, Record
from infra.local.deployment.migrating import run_migrations
from infra.local.deployment.orchestrations import versions_under_way
from infra.local.deployment.unpacking import environment_of, unpack
from infra.local.errors import LocalError
from infra.local.stack import Stack

_MIGRATION_SECONDS = 300


class LocalTarget:
    """One environment below a folder. The app, its dependencies and its migrations come from the package.

    Only the host, which replaces Azure's, comes from the checkout. Use as an asynchronous context.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        port: int = 0,
        seed: "Seed | None" = None,
        env: Mapping[str, str] | None = None,
        latency_ms: float = 0,
    ) -> None:
        self.name = name
        self.record = Record(folder / "artefacts")
        self._folder = folder
        self._app = folder / "app"
        self._seed = seed
        self._configuration = ""
        self.stack = Stack(
            folder / "state",
            port=port,
            app=self._app,
            migrate=False,
            ready_path="/api/health/live",
            env={**environment_of(self._app, folder / "host"), **(env or {})},
            latency_ms=latency_ms,
        )
        self._started = False

    @property
    def base_url(self) -> str:
        """Root of the Functions host."""
        return self.stack.base_url

    @property
    def client(self) -> httpx.AsyncClient:
        """The stack's."""
        return self.stack.client

    async def migrate(self, artefact: Artefact) -> str:
        """With the package's own migrations, as ``app_owner``."""
        code = self._folder / "migrating"
        unpack(artefact.archive, code)
        await self._start_parts(code)
        url = self.stack.owner_database_url
        return await run_migrations(self.name, code, url, "upgrade", _MIGRATION_SECONDS)

    async def schema_revision(self) -> str:
        """Asked of the database itself."""
        return await revision_of(self.stack.owner_database_url)

    async def deploy(self, artefact: Artefact) -> None:
        """SIGTERM to the host, new files in the place of the old ones, a new host on the same state."""
        await self.stack.stop_host()
        unpack(artefact.archive, self._app)
        await self.stack.start_host(wait=False)
        try:
            await self.stack.wait_ready()
        except LocalError as error:
            raise LocalError(f"{self.name}: {str(error).splitlines()[0]}") from error

    async def functions(self) -> Sequence[str]:
        """As the host lists them."""
        response = await self.client.get(f"{self.base_url}/admin/functions")
        return [entry["name"] for entry in response.json()] if response.is_success else []

    async def running_orchestration_versions(self) -> Sequence[str]:
        """Asked of the Durable API."""
        return await versions_under_way(self.client, self.base_url, self.record)

    async def admin_token(self) -> str:
        """Of the simulated Entra."""
        return await self.stack.token()

    async def test_configuration(self) -> str:
        """Made at the first time by ``seed``."""
        if not self._configuration and self._seed is not None:
            self._configuration = await self._seed(self.stack)
        return self._configuration

    async def __aenter__(self) -> "LocalTarget":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.stop()

    async def _start_parts(self, code: Path) -> None:
        """Database, simulator and a first host, once; the host has the new code and no schema yet."""
        if self._started:
            return
        if not self._app.exists():
            shutil.copytree(code, self._app)
        await self.stack.start()
        self._started = True


type Seed = Callable[[Stack], Awaitable[str]]


async def revision_of(owner_url: str) -> str:
    """The migration that a database is at."""
    connection = await asyncpg.connect(owner_url.replace("postgresql+asyncpg:", "postgresql:"))
    try:
        return str(await connection.fetchval("SELECT version_num FROM alembic_version"))
    finally:
        await connection.close()
