"""The app on several instances, in groups as Azure Functions Flex Consumption scales them.

There the HTTP functions scale together, the Durable functions together, and every other function, a timer
too, alone (Functions docs, "Flex Consumption plan hosting", per-function scaling). Here ``http``, ``durable``
and ``timer`` are these groups, all timers in one. ``all`` is an instance that listens to everything, as in
the other plans. They share one Durable engine process, one database and one port, where each request goes to
the next instance of ``http`` or ``all``.
"""

import asyncio
import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from infra.local import environment, ports
from infra.local.errors import LocalError
from infra.local.kept_state import write_private
from infra.local.processes import Child, wait_for

ROOT = Path(__file__).resolve().parents[2]
#: What the instances of a group listen to.
GROUPS: Mapping[str, str] = {
    "http": "http",
    "durable": "durable",
    "timer": "timer",
    "all": "http,durable,timer",
}
#: Set by ``./dev accept --instances``: how every system runs that does not say it itself.
SETTING = "DEV_INSTANCES"
_MOST = 20
#: The front reads the file of its instances at every request. A request in flight may have read it before.
_UNLISTED_SECONDS = 0.3


def parse(text: str) -> dict[str, int]:
    """``http=2,durable=2,timer=1``, or a number of instances that listen to everything.

    Raises ValueError that says what is wrong.
    """
    if text.isdigit():
        text = f"all={text}"
    found: dict[str, int] = {}
    for part in text.split(","):
        group, _, number = part.strip().partition("=")
        if group not in GROUPS:
            raise ValueError(f"{group!r} is no group of instances; there are {', '.join(GROUPS)}")
        if group in found:
            raise ValueError(f"{group} is given twice")
        if not number.isdigit() or not 0 <= int(number) <= _MOST:
            raise ValueError(f"the number of {group} must lie between 0 and {_MOST}, not {number!r}")
        found[group] = int(number)
    for need in ("http", "durable", "timer"):
        if not any(need in GROUPS[group].split(",") for group, number in found.items() if number):
            raise ValueError(f"no instance listens to {need}: add {need}=1")
    return found


def from_environment() -> dict[str, int] | None:
    """What the setting asks for; None without it."""
    text = os.environ.get(SETTING, "")
    return parse(text) if text else None


class AppInstances:
    """The instances of one system, with the engine and the front that they share."""

    def __init__(
        self,
        *,
        state: Path,
        logs: Path,
        port: int,
        app: Path,
        environment: Mapping[str, str],
        ready_path: str,
        on_change: Callable[[], None],
    ) -> None:
        self._state = state
        self._logs = logs
        self._port = port
        self._app = app
        self._environment = dict(environment)
        self._ready_path = ready_path
        self._on_change = on_change
        self._backends = state / "front.json"
        self.engine_port = ports.free()
        self._engine: Child | None = None
        self._front: Child | None = None
        self._hosts: dict[str, tuple[Child, str, int]] = {}
        self._names = itertools.count(1)

    # What there is

    @property
    def names(self) -> list[str]:
        """Names of the instances, oldest first."""
        return list(self._hosts)

    @property
    def first(self) -> Child:
        """The oldest instance."""
        return next(iter(self._hosts.values()))[0]

    @property
    def children(self) -> list[Child]:
        """Every process, in the order in which they must be stopped."""
        shared = [child for child in (self._front, self._engine) if child is not None]
        return [*(child for child, _, _ in self._hosts.values()), *shared]

    @property
    def log_files(self) -> list[Path]:
        """Their logs."""
        return [child.log for child in self.children]

    def of_group(self, group: str) -> list[str]:
        """Names of the instances of a group."""
        return [name for name, (_, found, _) in self._hosts.items() if found == group]

    def pid(self, name: str) -> int:
        """Process id of an instance, of ``engine`` or of ``front``."""
        return self._child(name).pid

    def url(self, name: str) -> str:
        """Where an instance itself answers, past the front."""
        return f"http://127.0.0.1:{self._hosts[name][2]}"

    @property
    def engine_url(self) -> str:
        """Where the Durable engine answers."""
        return f"http://127.0.0.1:{self.engine_port}"

    # Life

    async def start(self, wanted: Mapping[str, int], *, wait: bool = True) -> None:
        """Start the shared parts and the given number of instances of each group."""
        await self.start_engine()
        await self.start_front()
        started = [
            await self._start_host(group, self._app, {})
            for group, number in wanted.items()
            for _ in range(number)
        ]
        if wait:
            await asyncio.gather(*(self._wait_ready(name) for name in started))
        self._list()

    async def wait_ready(self) -> None:
        """Wait until every instance answers at its ready path."""
        await asyncio.gather(*(self._wait_ready(name) for name in self._hosts))
        self._list()

    async def add(self, group: str, *, app: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Start one more instance, of another version of the app if one is given; its name, when ready."""
        name = await self._start_host(group, app or self._app, env or {})
        await self._wait_ready(name)
        self._list()
        return name

    async def remove(self, name: str) -> None:
        """Take an instance away in order: it gets no more requests, ends what it has in hand, stops."""
        child, _, _ = self._hosts.pop(name)
        self._list()
        await asyncio.sleep(_UNLISTED_SECONDS)
        await child.stop(patience=30)
        self._on_change()

    async def kill(self, name: str) -> None:
        """SIGKILL an instance. The front detects it."""
        child, _, _ = self._hosts.pop(name)
        await child.kill()
        self._list()
        self._on_change()

    async def replace(
        self, name: str, *, app: Path | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """Start another instance of the group, then take this one away; returns the new name."""
        new = await self.add(self._hosts[name][1], app=app, env=env)
        await self.remove(name)
        return new

    async def replace_all(self, *, app: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """Replace all, one by one: a rolling deployment (``siteUpdateStrategy`` ``RollingUpdate``)."""
        for name in self.names:
            await self.replace(name, app=app, env=env)

    async def stop(self) -> None:
        """Stop everything in order: instances first, all at once."""
        hosts, self._hosts = [child for child, _, _ in self._hosts.values()], {}
        await asyncio.gather(*(child.stop() for child in hosts))
        for child in (self._front, self._engine):
            if child is not None:
                await child.stop()
        self._on_change()

    async def kill_all(self) -> None:
        """SIGKILL every instance, the engine and the front."""
        children, self._hosts = self.children, {}
        await asyncio.gather(*(child.kill() for child in children))
        self._on_change()

    async def start_engine(self) -> None:
        """Start the Durable engine on the state it had."""
        arguments = ["engine", "--port", str(self.engine_port), "--app", str(self._app)]
        arguments += ["--state", str(self._state), "--public-url", f"http://127.0.0.1:{self._port}"]
        self._engine = self._python("the Durable engine", arguments, "durable.log", {})
        await self._engine.start()
        await self._answering(self._engine, f"{self.engine_url}/instances")
        self._on_change()

    async def kill_engine(self) -> None:
        """SIGKILL the Durable engine; the instances wait for it."""
        await self._child("engine").kill()

    async def start_front(self) -> None:
        """Start the front on its port; it knows the instances that there are."""
        self._list()
        arguments = ["front", "--port", str(self._port), "--backends", str(self._backends)]
        self._front = self._python("the front", arguments, "front.log", {})
        await self._front.start()
        self._on_change()
        await self._front_listens(self._front)

    async def kill_front(self) -> None:
        """SIGKILL the front; nobody reaches the instances through it until it is started again."""
        await self._child("front").kill()

    # Inside

    def _child(self, name: str) -> Child:
        return {"engine": self._engine, "front": self._front}.get(name) or self._hosts[name][0]

    async def _front_listens(self, front: Child) -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                if not front.running:
                    reason = f"{front.name} ended at its start; log: {front.log}\n{front.log_tail()}"
                    raise LocalError(reason.rstrip()) from None
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return

    async def _start_host(self, group: str, app: Path, env: Mapping[str, str]) -> str:
        name, port = f"{group}-{next(self._names)}", ports.free()
        arguments = ["start", "--port", str(port), "--state", str(self._state), "--app", str(app)]
        arguments += ["--instance", name, "--engine", self.engine_url, "--listen", GROUPS[group]]
        # What the platform tells an instance (App Service docs, "Environment variables and app settings").
        told = {
            "WEBSITE_INSTANCE_ID": name,
            "WEBSITE_HOSTNAME": f"localhost:{self._port}",
            "WEBSITE_SKU": environment.SKU,
        }
        child = self._python(f"the instance {name}", arguments, f"functions-{name}.log", told | dict(env))
        await child.start()
        self._hosts[name] = child, group, port
        self._on_change()
        return name

    def _list(self) -> None:
        listed = [port for _, group, port in self._hosts.values() if "http" in GROUPS[group].split(",")]
        self._backends.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._backends, json.dumps(listed))

    async def _wait_ready(self, name: str) -> None:
        child, _, _ = self._hosts[name]
        await self._answering(child, f"{self.url(name)}{self._ready_path}")

    async def _answering(self, child: Child, url: str) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            await wait_for(client, child, url)

    def _python(self, name: str, arguments: list[str], log: str, env: Mapping[str, str]) -> Child:
        command = [sys.executable, "-m", "infra.local.functions_host", *arguments]
        return Child(
            name, command, log=self._logs / log, env=self._environment | dict(env), cwd=ROOT, umask=0o077
        )
