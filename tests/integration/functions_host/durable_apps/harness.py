"""A Durable engine with the sample app in this process, its client, and its HTTP API on a real port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import azure.durable_functions as df
from aiohttp import web
from aiohttp.test_utils import TestServer
from durabletask.client import OrchestrationState

from infra.local.functions_host.durable import DurableEngine
from infra.local.functions_host.durable.execution import Limits, OwnWorker
from infra.local.functions_host.durable.versioning import Versioning
from tests.integration.functions_host.durable_apps.in_process import InProcessApp

PATTERNS = Path(__file__).parent / "patterns"
PREFIX = "/runtime/webhooks/durabletask"
_PATIENCE = 8.0


class EngineUnderTest:
    """The engine; `client` and `http` speak to it as an app and a person do."""

    def __init__(self, state: Path, options: Mapping[str, Any]) -> None:
        self.state = state
        self.options = dict(options)
        self.app = InProcessApp(PATTERNS)
        self.engine: DurableEngine
        self.client: df.DurableFunctionsClient
        self.http: aiohttp.ClientSession
        self._server: TestServer

    async def start(self) -> None:
        """Starts an engine on the state of the last one."""
        site = web.Application()
        self._server = TestServer(site)
        self.engine = DurableEngine(
            hub_name="Patterns",
            state_path=self.state,
            executor=OwnWorker(
                self.app.invoke, Limits.from_options(self.options), Versioning.from_options(self.options)
            ),
            base_url="http://127.0.0.1:1",
            options=self.options,
            orchestrators=self.app.names("orchestration"),
            activities=self.app.names("activity"),
            entities=self.app.names("entity"),
            management_key="key",
        )
        for method, path, handler in self.engine.routes():
            site.router.add_route(method, path, handler)
        site.router.add_get("/slow-answer", _accepted)
        site.router.add_get("/answer", _answered)
        await self.engine.start()
        await self._server.start_server()
        self.http = aiohttp.ClientSession(self._server.make_url("/"))
        self.client = df.DurableFunctionsClient(self.engine.client_binding())

    async def stop(self, grace: float = 1.0) -> None:
        """Stops it; without grace what runs is cut off."""
        await self.client.close()
        await self.http.close()
        await self._server.close()
        await self.engine.stop(grace)

    async def restart(self) -> None:
        """Cuts everything off and starts again on what is on disk."""
        await self.stop(grace=0)
        await self.start()

    async def begin(self, name: str, data: Any = None, **more: Any) -> str:
        """Starts an orchestration and answers its id."""
        return await self.client.schedule_new_orchestration(name, input=data, **more)

    async def end_of(self, instance_id: str) -> OrchestrationState:
        """The state of the instance once it has ended."""
        state = await self.client.wait_for_orchestration_completion(instance_id, timeout=_PATIENCE)
        assert state is not None, f"{instance_id} is gone"
        return state

    async def run(self, name: str, data: Any = None, **more: Any) -> OrchestrationState:
        """Runs an orchestration to its end."""
        return await self.end_of(await self.begin(name, data, **more))

    async def status(self, instance_id: str) -> str:
        """Name of the instance's status, as `RUNNING`."""
        state = await self.client.get_orchestration_state(instance_id)
        assert state is not None, f"{instance_id} is gone"
        return state.runtime_status.name

    async def until_status(self, instance_id: str, wanted: str) -> None:
        """Waits until the instance has that status."""

        async def reached() -> bool:
            return await self.status(instance_id) == wanted

        await eventually(reached, f"{instance_id} to be {wanted}")

    async def until_custom_status(self, instance_id: str, wanted: Any) -> None:
        """Waits until the instance says that of itself."""

        async def said() -> bool:
            state = await self.client.get_orchestration_state(instance_id)
            return state is not None and state.get_custom_status() == wanted

        await eventually(said, f"{instance_id} to say {wanted!r}")

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any, Mapping[str, str]]:
        """One request to the management API: status, JSON (None if there is none), headers."""
        async with self.http.request(method, PREFIX + path, **more) as answer:
            text = await answer.text()
            return answer.status, await answer.json() if text else None, answer.headers


async def eventually(probe: Callable[[], Awaitable[bool]], what: str) -> None:
    """Asks until the answer is yes; fails with `what` after a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while not await probe():
                await asyncio.sleep(0.01)
            return
    raise AssertionError(f"waited in vain for {what}")


@contextlib.asynccontextmanager
async def running_engine(
    folder: Path, options: Mapping[str, Any] | None = None
) -> AsyncIterator[EngineUnderTest]:
    """An engine with its state in `folder`."""
    under_test = EngineUnderTest(folder / "durable.sqlite3", options or {})
    await under_test.start()
    try:
        yield under_test
    finally:
        await under_test.stop()


async def _accepted(request: web.Request) -> web.Response:
    return web.Response(status=202, headers={"Location": "/answer", "Retry-After": "0"})


async def _answered(request: web.Request) -> web.Response:
    return web.Response(text="the answer")
