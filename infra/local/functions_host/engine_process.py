"""The Durable engine as a process of its own, shared by several instances of one app.

In Azure the instances share the Durable Task Scheduler, or tables and queues of Azure Storage. This process
takes its place.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from infra.local.functions_host import config, logs
from infra.local.functions_host.auth import DURABLE_SYSTEM_KEY, load_keys
from infra.local.functions_host.durable import DurableEngine
from infra.local.functions_host.durable.host_instances import HostInstance, HostInstances
from infra.local.functions_host.durable.remote_engine import WORK_PATH
from infra.local.functions_host.logs import HOST
from infra.local.functions_host.process_start import bound, locked

#: After this many seconds without an answer, an instance counts as dead, and its work is given to another.
LOCK_SETTING = "FUNCTIONS_DURABLE_LOCK_SECONDS"
_LOCK_SECONDS = 15.0
_LOCK_MARGIN = 5.0


def run(arguments: Sequence[str]) -> int:
    """Serves until SIGINT or SIGTERM. Raises StartupError."""
    given = _parse(arguments)
    app, state = given.app.resolve(), given.state.resolve()
    host_config = config.load_host_config(app)
    config.apply_settings(config.load_local_settings(app), os.environ)
    logs.configure(host_config.log_levels, lambda: None, verbose=False)
    with bound(given.port) as listener, locked(state / "engine.lock", _LOCK_MARGIN):
        asyncio.run(_serve(_Process(host_config, state, given.public_url), listener))
    return 0


class _Process:
    def __init__(self, host_config: config.HostConfig, state: Path, public_url: str) -> None:
        self.hosts = HostInstances(self._welcome)
        self.engine = DurableEngine(
            hub_name=host_config.hub_name,
            state_path=state / "durable.sqlite3",
            executor=self.hosts,
            base_url=public_url,
            options=host_config.durable_options,
            management_key=load_keys(state, enforced=False).system[DURABLE_SYSTEM_KEY],
        )
        self.engine.hub.names_known = False
        self.hosts.on_change = self.engine.look_again
        self._patience = float(os.environ.get(LOCK_SETTING) or _LOCK_SECONDS)

    def _welcome(self, host: HostInstance) -> Mapping[str, Any]:
        names = host.names
        self.engine.know(names["orchestration"], names["activity"], names["entity"])
        return {"binding": self.engine.client_binding_of(host.versioning.default_version)}

    def site(self) -> web.Application:
        site = web.Application(client_max_size=2**30)
        site.router.add_get(WORK_PATH, self._work)
        site.router.add_get("/instances", self._described)
        for method, path, handler in self.engine.routes():
            site.router.add_route(method, path, handler)
        return site

    async def _work(self, request: web.Request) -> web.StreamResponse:
        return await self.hosts.serve(request, self._patience)

    async def _described(self, request: web.Request) -> web.Response:
        document = {"instances": self.hosts.described(), "backlog": self.engine.backlog}
        return web.json_response(document)


async def _serve(process: _Process, listener: Any) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await process.engine.start()
    runner = web.AppRunner(
        process.site(), access_log=None, handle_signals=False, shutdown_timeout=0.5, auto_decompress=False
    )
    try:
        await runner.setup()
        await web.SockSite(runner, listener, backlog=1024).start()
        HOST.info("Durable engine started on http://127.0.0.1:%d", listener.getsockname()[1])
        await stop.wait()
    finally:
        await process.engine.stop(0.5)
        await runner.cleanup()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="func engine", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--public-url", required=True, help="where people reach the app")
    return parser.parse_args(arguments)
