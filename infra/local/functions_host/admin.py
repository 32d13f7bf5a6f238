"""The host's own API under `/admin`: what runs, and firing functions by hand.

Source: Functions docs, "Manually run a non HTTP-triggered function".
"""

import asyncio
import json
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from infra.local.functions_host.auth import HostKeys
from infra.local.functions_host.functions import (
    DURABLE_TRIGGERS,
    ORCHESTRATION_TRIGGER,
    WARMUP_TRIGGER,
    Function,
)
from infra.local.functions_host.http import presented_key
from infra.local.functions_host.logs import HOST
from infra.local.functions_host.reserved_routes import has_warmup

_VERSION = "4.1000.0.0"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class HostState:
    """What `/admin/host/status` reports; `errors` says, by name, why functions cannot be served."""

    host_id: str
    state: str = "Initialized"
    errors: Mapping[str, str] = field(default_factory=dict)
    instance_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)


class AdminApi:
    """Handlers under `/admin`; `fire(function, input)` starts an invocation and returns when it has ended."""

    def __init__(
        self,
        state: HostState,
        functions: Sequence[Function],
        keys: HostKeys,
        routes: Mapping[str, str],
        fire: Callable[[Function, str], Awaitable[None]],
        counts: Callable[[], Mapping[str, int]],
    ) -> None:
        self._state = state
        self._functions = functions
        self._by_name = {function.name.lower(): function for function in functions}
        self._keys = keys
        self._routes = routes
        self._fire = fire
        self._counts = counts
        self._warm = False
        self._warming = asyncio.Lock()
        self._fired: set[asyncio.Task[None]] = set()

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each operation."""
        operations: list[tuple[str, str, Handler]] = [
            ("GET", "/admin/host/status", self._status),
            ("GET", "/admin/host/keys", self._host_keys),
            ("GET", "/admin/host/functionkeys", self._host_keys),
            ("GET", "/admin/host/systemkeys", self._system_keys),
            ("GET", "/admin/functions/{name}/keys", self._function_keys),
            ("GET", "/admin/functions", self._list),
            ("GET", "/admin/functions/{name}", self._get),
            ("GET", "/admin/functions/{name}/status", self._function_status),
            ("POST", "/admin/functions/{name}", self._invoke),
        ]
        guarded = [(method, path, self._guarded(handler)) for method, path, handler in operations]
        # Open in the real host, too: probes have no key, and the platform warms an instance up.
        open_to_all: list[tuple[str, str, Handler]] = [
            (method, "/admin/host/ping", self._ping) for method in ("GET", "POST")
        ]
        warmup = [("*", "/admin/warmup", self._warm_up)] if has_warmup() else []
        return guarded + open_to_all + warmup

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self._keys.allows_admin(presented_key(request)):
                return web.Response(status=401)
            return await handler(request)

        return guarded

    async def _ping(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _warm_up(self, request: web.Request) -> web.Response:
        """Runs the function named `warmup`, if the app has one with this trigger, once for this instance.

        Source: `ScriptJobHostExtensions.IsWarmupFunction` of Azure/azure-functions-host.
        """
        async with self._warming:
            function = self._by_name.get("warmup")
            if function is not None and function.trigger.kind == WARMUP_TRIGGER and not self._warm:
                await self._fire_and_log(function, "{}")
            self._warm = True
        return web.Response()

    async def _host_keys(self, request: web.Request) -> web.Response:
        names = ["default", *(f"key{number}" for number in range(2, len(self._keys.function_keys) + 1))]
        return _listed(dict(zip(names, self._keys.function_keys, strict=False)))

    async def _system_keys(self, request: web.Request) -> web.Response:
        return _listed(self._keys.system)

    async def _function_keys(self, request: web.Request) -> web.Response:
        if request.match_info["name"].lower() not in self._by_name:
            return web.Response(status=404)
        # This host has keys for the whole app only: no function has one of its own.
        return _listed({})

    async def _status(self, request: web.Request) -> web.Response:
        state = self._state
        return web.json_response(
            {
                "id": state.host_id,
                "state": state.state,
                "version": _VERSION,
                "instanceId": state.instance_id,
                "computerName": socket.gethostname(),
                "processUptime": int((time.monotonic() - state.started) * 1000),
                "functionErrors": dict(state.errors),
                **self._counts(),
            }
        )

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response([self._describe(request, function) for function in self._functions])

    async def _get(self, request: web.Request) -> web.Response:
        function = self._by_name.get(request.match_info["name"].lower())
        if function is None:
            return web.Response(status=404)
        return web.json_response(self._describe(request, function))

    async def _function_status(self, request: web.Request) -> web.Response:
        function = self._by_name.get(request.match_info["name"].lower())
        if function is None:
            return web.Response(status=404)
        error = self._state.errors.get(function.name)
        return web.json_response({"errors": [error]} if error else {})

    def _describe(self, request: web.Request, function: Function) -> dict[str, Any]:
        origin = f"{request.scheme}://{request.host}"
        route = self._routes.get(function.name)
        return {
            "name": function.name,
            "href": f"{origin}/admin/functions/{function.name}",
            "invoke_url_template": None if route is None else f"{origin}/{route}",
            "language": "python",
            "isDisabled": function.disabled,
            "config": {"bindings": [dict(binding.properties) for binding in function.bindings]},
        }

    async def _invoke(self, request: web.Request) -> web.Response:
        function = self._by_name.get(request.match_info["name"].lower())
        if function is None or function.name in self._state.errors:
            return web.Response(status=404)
        if refusal := _refusal(function):
            return web.Response(status=400, text=refusal)
        try:
            document = await request.json()
            given = document.get("input", "") if isinstance(document, dict) else None
        except ValueError:
            given = None
        if given is None:
            return web.Response(status=400, text='The body must be a JSON object such as {"input": ""}.')
        text = given if isinstance(given, str) else json.dumps(given)
        HOST.info("Executing 'Functions.%s' (Reason='fired through the admin API')", function.name)
        task = asyncio.create_task(self._fire_and_log(function, text))
        self._fired.add(task)
        task.add_done_callback(self._fired.discard)
        return web.Response(status=202)

    async def _fire_and_log(self, function: Function, text: str) -> None:
        try:
            await self._fire(function, text)
        except Exception:
            # Nobody waits for this task: what went wrong before the function began is only seen here.
            HOST.exception("Function '%s' could not be run", function.name)


def _listed(keys: Mapping[str, str]) -> web.Response:
    found = [{"name": name, "value": value} for name, value in keys.items()]
    return web.json_response({"keys": found, "links": []})


def _refusal(function: Function) -> str:
    if function.is_http:
        return f"'{function.name}' is triggered by HTTP: call its route."
    if function.trigger.kind == ORCHESTRATION_TRIGGER:
        path = f"/runtime/webhooks/durabletask/orchestrators/{function.durable_name}"
        return f"'{function.name}' is an orchestrator: start it with POST {path}."
    if function.trigger.kind in DURABLE_TRIGGERS and function.trigger.kind.startswith("entity"):
        return f"'{function.name}' is an entity: signal it through /runtime/webhooks/durabletask/entities."
    return ""
