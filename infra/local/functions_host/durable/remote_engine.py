"""A Durable engine in another process, as one of the instances that share it sees it."""

import asyncio
import contextlib
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from infra.local.functions_host.durable.engine import WEBHOOK_PATH
from infra.local.functions_host.durable.execution import Invoke, Limits
from infra.local.functions_host.durable.http_instances import DEFAULT_VERSION
from infra.local.functions_host.durable.versioning import Versioning
from infra.local.functions_host.errors import StartupError
from infra.local.functions_host.invocation import FunctionFailed

LOG = logging.getLogger("functions_host.durable")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
WORK_PATH = "/work"
_JOIN_SECONDS = 30.0
_LONGEST_PAUSE = 1.0
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "te"})


class RemoteEngine:
    """Joins the engine at `url`, runs what it hands out, and joins again whenever it was away.

    An instance that does not listen to Durable functions has `limits` of zero: it only starts and asks.
    """

    def __init__(
        self,
        url: str,
        instance: str,
        invoke: Invoke,
        limits: Limits,
        versioning: Versioning,
        names: Mapping[str, Sequence[str]],
    ) -> None:
        self._url = URL(url)
        self._instance = instance
        self._invoke = invoke
        self._limits = limits
        # The comparison runs in the engine, on what this host says here.
        self._versioning = replace(versioning)
        self._names = {kind: list(found) for kind, found in names.items()}
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._joining: asyncio.Task[None] | None = None
        self._joined = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._binding = ""

    async def start(self) -> None:
        """Joins the engine. Raises StartupError if it cannot be reached in half a minute."""
        self._session = aiohttp.ClientSession(
            auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None, connect=5)
        )
        self._joining = asyncio.create_task(self._stay_joined(), name="durable engine")
        try:
            await asyncio.wait_for(self._joined.wait(), _JOIN_SECONDS)
        except TimeoutError:
            raise StartupError(f"the Durable engine at {self._url} cannot be reached") from None

    async def stop(self, grace: float = 3.0) -> None:
        """Takes no more work, lets what runs end for `grace` seconds, leaves."""
        with contextlib.suppress(ConnectionError):
            await self._say({"type": "drain"})
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        if self._joining is not None:
            self._joining.cancel()
            await asyncio.gather(self._joining, return_exceptions=True)
        for task in self._running:
            task.cancel()
        if self._session is not None:
            await self._session.close()

    def client_binding(self) -> str:
        """The JSON that a durable client of the app is made from; the engine's, as it was last told."""
        return self._binding

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The management API, passed on to the engine."""
        return [("*", f"{WEBHOOK_PATH}/{{rest:.*}}", self._pass_on)]

    @property
    def backlog(self) -> int:
        """Number of functions that this instance has in hand."""
        return len(self._running)

    async def _stay_joined(self) -> None:
        pause = 0.05
        while True:
            try:
                await self._join()
                pause = 0.05
            except (aiohttp.ClientError, OSError) as error:
                LOG.debug("The Durable engine is away: %s", error)
            # A host whose engine is away waits for it, as it would for its storage.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _join(self) -> None:
        if self._session is None:
            return
        async with self._session.ws_connect(self._url / WORK_PATH.strip("/"), max_msg_size=0) as socket:
            await socket.send_json(
                {
                    "instance": self._instance,
                    "limits": asdict(self._limits),
                    "versioning": asdict(self._versioning),
                    "names": self._names,
                }
            )
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                document = json.loads(message.data)
                if document["type"] == "welcome":
                    self._binding = document["binding"]
                    self._socket = socket
                    self._joined.set()
                else:
                    task = asyncio.create_task(self._work(socket, document))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
        LOG.warning("The Durable engine has gone, or took this instance for dead")

    async def _work(self, socket: aiohttp.ClientWebSocketResponse, work: Mapping[str, Any]) -> None:
        try:
            result = await self._invoke(work["name"], work["kind"], work["data"])
            answer = {"type": "done", "id": work["id"], "result": result}
        except FunctionFailed as error:
            answer = _failed(work, error.message, error.exception_type, error.stack_trace)
        except Exception as error:
            LOG.exception("The %s '%s' could not be invoked", work["kind"], work["name"])
            answer = _failed(work, str(error), type(error).__name__, "")
        # The engine may be gone, and has then given the work to another instance.
        with contextlib.suppress(ConnectionError):
            await socket.send_json(answer)

    async def _say(self, document: Mapping[str, Any]) -> None:
        if self._socket is not None and not self._socket.closed:
            await self._socket.send_json(document)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        if self._session is None:
            return web.Response(status=503)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if self._versioning.default_version:
            headers[DEFAULT_VERSION] = self._versioning.default_version
        try:
            async with self._session.request(
                request.method,
                URL(f"{self._url.origin()}{request.rel_url.raw_path_qs}", encoded=True),
                data=await request.read(),
                headers=headers,
                allow_redirects=False,
            ) as answer:
                kept = [(k, v) for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP]
                return web.Response(status=answer.status, body=await answer.read(), headers=dict(kept))
        except aiohttp.ClientError:
            return web.json_response({"message": "The Durable engine cannot be reached."}, status=503)


def _failed(work: Mapping[str, Any], message: str, exception_type: str, stack_trace: str) -> dict[str, Any]:
    return {
        "type": "failed",
        "id": work["id"],
        "message": message,
        "exception_type": exception_type,
        "stack_trace": stack_trace,
    }
