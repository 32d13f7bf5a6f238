"""The running host: worker, HTTP server, timers and Durable engine of one app, as one thing."""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from infra.local.functions_host import durable_bridge, http
from infra.local.functions_host.admin import AdminApi, HostState
from infra.local.functions_host.auth import DURABLE_SYSTEM_KEY, HostKeys
from infra.local.functions_host.cli import Options
from infra.local.functions_host.config import HostConfig
from infra.local.functions_host.durable_bridge import Engine, Handler
from infra.local.functions_host.functions import (
    DURABLE_TRIGGERS,
    TIMER_TRIGGER,
    WARMUP_TRIGGER,
    Function,
    undelivered_outputs,
)
from infra.local.functions_host.http import HttpFunctions, presented_key
from infra.local.functions_host.logs import HOST
from infra.local.functions_host.protos import TypedData
from infra.local.functions_host.routes import map_routes
from infra.local.functions_host.routing import Router
from infra.local.functions_host.serving import Server, without_server_name
from infra.local.functions_host.throttle import RequestThrottle
from infra.local.functions_host.timers import Timer, invoke_with_retries
from infra.local.functions_host.worker import Worker

# The real host's limit for a request's body (FUNCTIONS_REQUEST_BODY_SIZE_LIMIT).
_BODY_LIMIT = 104_857_600


class Host:
    """One app being served. `start()` returns when requests are answered, `stop()` when all has ended."""

    def __init__(
        self,
        options: Options,
        config: HostConfig,
        keys: HostKeys,
        cors: Sequence[str],
        cors_credentials: bool,
    ) -> None:
        self._options = options
        self._config = config
        self._keys = keys
        self._cors = cors
        self._cors_credentials = cors_credentials
        self._worker = Worker(options.app, config.function_timeout)
        self._worker.on_broken = self._broken
        #: Set when the process must restart. See `worker_exit`.
        self.worn_out = asyncio.Event()
        self._state = HostState(re.sub(r"[^a-z0-9]+", "-", options.app.name.lower()).strip("-") or "app")
        self._engine: Engine | None = None
        self._engine_started = False
        self._timers: dict[str, Timer] = {}
        self._timer_tasks: set[asyncio.Task[None]] = set()
        self._server = Server()
        self._answering = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._stopping = False
        self._errors: dict[str, str] = {}
        self._paths: dict[str, str] = {}

    async def start(self, listener: socket.socket) -> Sequence[Function]:
        """Loads the app, starts everything and serves on `listener`, a bound socket.

        Returns the functions that are served. Raises StartupError if the app cannot be.
        """
        port = listener.getsockname()[1]
        functions = self._chosen(await self._worker.start())
        router = self._route(functions)
        self._make_timers(functions)
        self._state.errors = self._errors
        usable = [f for f in functions if f.name not in self._errors and not f.disabled]
        if durable_bridge.needs_engine(usable):
            self._engine = self._make_engine(usable, port)
            await self._engine.start()
            self._engine_started = True
        await self._serve(listener, functions, router)
        for name, timer in self._timers.items():
            if "timer" in self._options.listen and not timer.function.disabled:
                self._timer_tasks.add(asyncio.create_task(timer.run(), name=f"timer {name}"))
        self._state.state = "Running"
        return usable

    def _make_engine(self, functions: Sequence[Function], port: int) -> Engine:
        options = self._options
        if options.engine is not None:
            return durable_bridge.join_engine(
                functions,
                self._worker,
                self._config,
                client_binding=self._client_binding,
                url=options.engine,
                instance=options.instance or f"port-{port}",
                listens="durable" in options.listen,
            )
        return durable_bridge.make_engine(
            functions,
            self._worker,
            self._config,
            client_binding=self._client_binding,
            state=options.state,
            base_url=f"http://127.0.0.1:{port}",
            management_key=self._keys.system[DURABLE_SYSTEM_KEY],
        )

    def worker_exited(self, status: int, loop: asyncio.AbstractEventLoop) -> None:
        """The app's code ended its process; `loop` is the host's. From any thread."""
        self._worker.exited = True
        loop.call_soon_threadsafe(self._broken, f"python exited with code {status}")

    def _broken(self, reason: str) -> None:
        HOST.error("The worker restarts: %s", reason)
        self.worn_out.set()

    async def abandon(self) -> None:
        """Lets go of everything at once: Durable work runs again, requests are answered with 500."""
        self._stopping = True
        if self._engine is not None and self._engine_started:
            await self._engine.stop(0.0)
        self._worker.fail_all("The worker process exited.", "WorkerProcessExitException")
        await self._server.stop_listening()
        await self._server.close()

    async def stop(self) -> bool:
        """Takes no more requests, lets what runs end within the drain time, closes.

        Answers False if invocations were abandoned.
        """
        self._stopping = True
        self._state.state = "Stopping"
        deadline = asyncio.get_running_loop().time() + self._options.drain
        for timer in self._timers.values():
            timer.stop()
        await self._server.stop_listening()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._quiet.wait()
        await self._stop_engine()
        idle = await self._worker.wait_idle(max(0.5, deadline - asyncio.get_running_loop().time()))
        if self._timer_tasks:
            # With no invocation running, a timer is either done or waiting for a retry.
            await asyncio.wait(self._timer_tasks, timeout=0.2)
        for task in self._timer_tasks:
            task.cancel()
        await self._server.close()
        if not idle:
            HOST.warning("%d invocations did not end in time and are abandoned", self._worker.running)
        await self._worker.stop()
        return idle

    async def _stop_engine(self) -> None:
        if self._engine is None or not self._engine_started:
            return
        try:
            async with asyncio.timeout(self._options.drain):
                await self._engine.stop()
        except TimeoutError:
            HOST.warning(
                "The Durable engine did not stop in time; it continues from its state at the next start"
            )

    @property
    def route_paths(self) -> dict[str, str]:
        """Path templates of the HTTP functions by name, without the leading slash."""
        return self._paths

    @property
    def errors(self) -> dict[str, str]:
        """Why functions cannot be served, by name."""
        return self._errors

    def _chosen(self, functions: Sequence[Function]) -> Sequence[Function]:
        wanted = {name.lower() for name in self._options.only}
        return [function for function in functions if not wanted or function.name.lower() in wanted]

    def _route(self, functions: Sequence[Function]) -> Router[Function]:
        routes = map_routes(functions, self._config.route_prefix)
        self._errors.update({function.name: function.error for function in functions if function.error})
        self._errors.update(routes.errors)
        self._paths = routes.paths
        return routes.router

    def _make_timers(self, functions: Sequence[Function]) -> None:
        folder = self._options.state / "timers"
        for function in functions:
            if function.trigger.kind == TIMER_TRIGGER and function.name not in self._errors:
                path = folder / f"{function.name}.json"
                try:
                    self._timers[function.name] = Timer(
                        function,
                        self._worker,
                        path,
                        self._client_binding,
                        shared=self._options.instance is not None,
                    )
                except ValueError as error:
                    self._errors[function.name] = str(error)

    async def _serve(
        self, listener: socket.socket, functions: Sequence[Function], router: Router[Function]
    ) -> None:
        middlewares = [self._server.slow.middleware]
        if self._cors:
            middlewares.append(http.cors_middleware(self._cors, credentials=self._cors_credentials))
        limit = int(os.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") or _BODY_LIMIT)
        app = web.Application(client_max_size=limit, middlewares=middlewares)
        app.on_response_prepare.append(without_server_name)
        app.on_response_prepare.append(_with_headers(self._config.custom_headers))
        admin = AdminApi(self._state, functions, self._keys, self._paths, self._fire, self._counts)
        for method, path, handler in admin.routes():
            app.router.add_route(method, path, handler)
        for method, path, handler in self._engine.routes() if self._engine else ():
            app.router.add_route(method, path, self._webhook(handler))
        served = HttpFunctions(self._worker, router, self._keys, self._client_binding)
        throttle = RequestThrottle(
            self._config.max_concurrent_requests, self._config.max_outstanding_requests
        )
        app.router.add_route("*", "/{path:(?s:.*)}", self._counted(throttle.limited(served.handle)))
        await self._server.start(app, listener)

    def _counted(self, handler: Handler) -> Handler:
        async def counted(request: web.Request) -> web.StreamResponse:
            if self._stopping:
                return web.Response(status=503, headers={"Connection": "close"})
            self._answering += 1
            self._quiet.clear()
            try:
                return await handler(request)
            finally:
                self._answering -= 1
                if not self._answering:
                    self._quiet.set()

        return counted

    def _webhook(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self._keys.allows_webhook(presented_key(request)):
                return web.Response(status=401)
            return await handler(request)

        return self._counted(guarded)

    def _client_binding(self) -> TypedData:
        if self._engine is None:
            raise RuntimeError("a durable client was asked for without a Durable engine")
        return TypedData(string=self._engine.client_binding())

    async def _fire(self, function: Function, text: str) -> None:
        timer = self._timers.get(function.name)
        if timer is not None:
            await timer.fire()
            return
        durable = function.trigger.kind in DURABLE_TRIGGERS
        argument = durable_bridge.trigger_input(function, text) if durable else TypedData(string=text)
        inputs = {function.trigger.name: argument}
        for name in function.client_parameters:
            inputs[name] = self._client_binding()
        await invoke_with_retries(self._worker, function, inputs)

    def _counts(self) -> dict[str, int]:
        backlog = self._engine.backlog if self._engine else 0
        return {"runningInvocations": self._worker.running, "durableBacklog": backlog}


def warnings_about(function: Function) -> Sequence[str]:
    """What of a function this host does not do, in words."""
    kind = str(function.trigger.properties["type"])
    found = []
    if not function.is_http and function.trigger.kind not in {
        TIMER_TRIGGER,
        WARMUP_TRIGGER,
        *DURABLE_TRIGGERS,
    }:
        found.append(f"'{function.name}': nothing here triggers {kind}; fire it with POST /admin/functions")
    found.extend(
        f"'{function.name}': what it puts into the {binding.properties['type']} binding is not delivered"
        for binding in undelivered_outputs(function)
    )
    return found


def _with_headers(headers: Mapping[str, str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Adds `customHeaders` to every response that does not have them."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in headers.items():
            response.headers.setdefault(name, value)

    return add
