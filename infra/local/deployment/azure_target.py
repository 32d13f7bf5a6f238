"""One environment in Azure as a Target: ``az`` for the app and the packages, a token for the database.

Not run where it was written: no subscription was reachable there. Its requests are tested against a recorded
stand-in for ``az`` (``tests/unit/azure/test_azure_target.py``).
"""

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from infra.local.azure.tools import Runner
from infra.local.deployment.artefacts import Artefact, Record
from infra.local.deployment.migrating import run_migrations
from infra.local.deployment.orchestrations import versions_under_way
from infra.local.deployment.unpacking import unpack
from infra.local.errors import LocalError

_API = "2024-04-01"
_SECONDS = 600
_NEEDED = (
    *("FUNCTION_APP_NAME", "AZURE_RESOURCE_GROUP", "DATABASE_HOST", "DATABASE_NAME"),
    *("ARTEFACT_CONTAINER_URL", "ADMIN_ASSISTANT_CLIENT_ID"),
)


class AzureTarget:
    """The environment whose outputs are given (``azd env get-values``, or variables of a workflow)."""

    def __init__(self, name: str, values: Mapping[str, str], runner: Runner) -> None:
        """Raises LocalError when an output is absent."""
        if missing := [each for each in _NEEDED if not values.get(each)]:
            raise LocalError(f"not set: {', '.join(missing)}")
        self.name = name
        self._values = values
        self._az = runner
        self._folder = tempfile.TemporaryDirectory(prefix="admin-assistant-deploy-")
        self.record = Record(Path(self._folder.name))
        self.client = httpx.AsyncClient(timeout=60)
        self._url = ""

    @property
    def base_url(self) -> str:
        """Root of the app."""
        return self._url

    async def __aenter__(self) -> Self:
        host = json.loads(await self._run("functionapp", "show", *self._app, "--query", "defaultHostName"))
        self._url = f"https://{host}"
        await self._fetch_record()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # After a failed deployment too: its migrations ran.
            await self._store_record()
        finally:
            await self.client.aclose()
            self._folder.cleanup()

    async def migrate(self, artefact: Artefact) -> str:
        """With the package's own migrations, as ``app_owner``; the runner must reach the server."""
        said = await self._migration(artefact, "upgrade")
        return said.splitlines()[-1] if said else ""

    async def schema_revision(self) -> str:
        """Asked by the newest package's code."""
        package = self.record.current()
        if package is None:
            package = await asyncio.to_thread(self._any_package)
        return (await self._migration(package, "current")).strip()

    async def deploy(self, artefact: Artefact) -> None:
        """One deploy of a built package: nothing is built in Azure."""
        where = [*self._app, "--src", str(artefact.archive), "--build-remote", "false"]
        await self._run("functionapp", "deployment", "source", "config-zip", *where, "--output", "none")

    async def functions(self) -> Sequence[str]:
        """As ARM lists them, once the triggers were synchronised."""
        group, name = self._values["AZURE_RESOURCE_GROUP"], self._values["FUNCTION_APP_NAME"]
        subscription = f"/subscriptions/{await self._subscription()}"
        app = f"{subscription}/resourceGroups/{group}/providers/Microsoft.Web/sites/{name}"
        await self._arm("post", f"{app}/syncfunctiontriggers")
        listed = json.loads(await self._arm("get", f"{app}/functions"))
        return [str(entry["name"]).rpartition("/")[2] for entry in listed.get("value", [])]

    async def running_orchestration_versions(self) -> Sequence[str]:
        """Asked of the Durable API, with its system key."""
        told = json.loads(await self._run("functionapp", "keys", "list", *self._app, "--output", "json"))
        key = str((told.get("systemKeys") or {}).get("durabletask_extension", ""))
        return await versions_under_way(self.client, self._url, self.record, key)

    async def admin_token(self) -> str:
        """Of the deployment's identity, which has the app role Admin."""
        audience = f"api://{self._values['ADMIN_ASSISTANT_CLIENT_ID']}"
        told = await self._run("account", "get-access-token", "--resource", audience, "--output", "json")
        return str(json.loads(told)["accessToken"])

    async def test_configuration(self) -> str:
        """Of a mailbox that is there for this; empty: no run is started."""
        return self._values.get("ADMIN_ASSISTANT_TEST_CONFIGURATION", "")

    @property
    def _app(self) -> list[str]:
        group, name = self._values["AZURE_RESOURCE_GROUP"], self._values["FUNCTION_APP_NAME"]
        return ["--resource-group", group, "--name", name]

    async def _subscription(self) -> str:
        return str(json.loads(await self._run("account", "show", "--output", "json"))["id"])

    async def _arm(self, method: str, path: str) -> str:
        return await self._run("rest", "--method", method, "--url", f"{path}?api-version={_API}")

    async def _run(self, *arguments: str) -> str:
        return await asyncio.to_thread(self._az, ["az", *arguments])

    async def _migration(self, artefact: Artefact, what: str) -> str:
        token = json.loads(
            await self._run("account", "get-access-token", "--resource-type", "oss-rdbms", "--output", "json")
        )["accessToken"]
        server = f"{self._values['DATABASE_HOST']}:5432/{self._values['DATABASE_NAME']}"
        code = Path(self._folder.name) / f"code-{artefact.sha256[:16]}"
        await asyncio.to_thread(unpack, artefact.archive, code)
        url = f"postgresql://app_owner:{quote(token, safe='')}@{server}?sslmode=verify-full"
        return await run_migrations(self.name, code, url, what, _SECONDS)

    def _any_package(self) -> Artefact:
        packages = sorted(Path(self._folder.name).glob("*.zip"))
        if not packages:
            raise LocalError(f"{self.name}: no package tells how to ask for the schema")
        return Artefact.read(packages[-1])

    @property
    def _container(self) -> list[str]:
        url = urlsplit(self._values["ARTEFACT_CONTAINER_URL"])
        account, container = url.netloc.partition(".")[0], url.path.strip("/")
        return ["--account-name", account, "--auth-mode", "login", "--container-name", container]

    async def _fetch_record(self) -> None:
        there: list[dict[str, Any]] = json.loads(
            await self._run("storage", "blob", "list", *self._container, "--output", "json")
        )
        names = [str(blob["name"]) for blob in there if str(blob["name"]).startswith(f"{self.name}/")]
        for name in names:
            target = Path(self._folder.name) / name.partition("/")[2]
            await self._run(
                *("storage", "blob", "download", *self._container, "--name", name),
                *("--file", str(target), "--output", "none"),
            )
        self.record.moved_here()

    async def _store_record(self) -> None:
        for path in await asyncio.to_thread(self.record.files):
            await self._run(
                *("storage", "blob", "upload", *self._container, "--name", f"{self.name}/{path.name}"),
                *("--file", str(path), "--overwrite", "true", "--output", "none"),
            )
