"""The whole system on one machine: PostgreSQL, the Graph simulator, the migrations and the Functions host."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from infra.local import disks, environment, identities, ports, running_system
from infra.local.app_instances import AppInstances, from_environment
from infra.local.errors import DamagedState, LocalError
from infra.local.kept_state import KeptState, write_private
from infra.local.log_files import keep_bounded
from infra.local.postgres import OWNER, USER, Postgres
from infra.local.processes import Child, end_orphan, leftovers, wait_for
from infra.local.running_system import token_request
from infra.local.schema import migrate
from infra.local.state_folder import FolderLock

ROOT = Path(__file__).resolve().parents[2]
_MODULES = ("infra.local.functions_host", "infra.local.graph_simulator")


def _silent(_: str) -> None:
    return


class Stack:
    """One running system. Several run side by side with other folders and ports.

    - ``port`` 0 takes two free ports.
    - ``env`` is added to the environment of the host.
    - ``app`` is the folder of the Functions app.
    - ``ready_path`` must answer 200 before the start counts as done.
    - ``state_dir`` holds everything that it keeps. A second start continues from it.
    - ``instances`` says how many instances of the app run for each group of triggers. Without it, one host
      does everything.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int = 0,
        env: Mapping[str, str] | None = None,
        app: Path = ROOT,
        latency_ms: float = 0,
        migrate: bool = True,
        ready_path: str = "/api/health/ready",
        instances: Mapping[str, int] | None = None,
        progress: Callable[[str], None] = _silent,
    ) -> None:
        self.state_dir = state_dir.resolve()
        self.logs = self.state_dir / "logs"
        self._wanted_port = port
        self._env = dict(env or {})
        self._app = app.resolve()
        self._latency_ms = latency_ms
        self._migrate = migrate
        self._ready_path = ready_path
        self._progress = progress
        wanted = instances if instances is not None else from_environment()
        self._wanted_instances = dict(wanted) if wanted else None
        self.instances: AppInstances | None = None
        self._lock = FolderLock(
            self.state_dir / "lock", f"a system already runs on {self.state_dir}; use --state and --port"
        )
        self._kept = KeptState(self.state_dir)
        self._rotation: asyncio.Task[None] | None = None
        self.postgres = Postgres(self.state_dir / "postgres", log=self.logs / "postgres.log")
        self.port = 0
        self.simulator_port = 0
        self._simulator: Child | None = None
        self._host: Child | None = None
        self._client: httpx.AsyncClient | None = None

    # Where things are

    @property
    def base_url(self) -> str:
        """Root of the Functions host."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Base of our API, without a trailing slash."""
        return f"{self.base_url}/api/v1"

    @property
    def simulator_url(self) -> str:
        """Root of the Graph and Entra simulator."""
        return f"http://127.0.0.1:{self.simulator_port}"

    @property
    def database_url(self) -> str:
        """The app's database as ``app_user``."""
        return self.postgres.url(USER)

    @property
    def owner_database_url(self) -> str:
        """The app's database as ``app_owner``."""
        return self.postgres.url(OWNER)

    @property
    def client(self) -> httpx.AsyncClient:
        """HTTP client of this stack, closed with it; ignores proxies."""
        if self._client is None:
            raise RuntimeError("the stack is not started")
        return self._client

    @property
    def host_pid(self) -> int:
        """Process id of the Functions host, of the first instance where there are several."""
        if self.instances is not None:
            return self.instances.first.pid
        return _present(self._host).pid

    @property
    def simulator_pid(self) -> int:
        """Process id of the Graph simulator."""
        return _present(self._simulator).pid

    # Life

    async def start(self) -> None:
        """Start every part and wait until the app is ready.

        Raises :class:`LocalError` whose first line says what failed, followed by the end of that part's log.
        A part whose state is damaged or gone is refused in one line that says what to do.
        """
        self._lock.acquire()
        try:
            self._check_room()
            self._kept.protect()
            await self._end_orphans()
            self._kept.check()
            self._rotation = asyncio.create_task(keep_bounded(lambda: self._log_files))
            self.port, self.simulator_port = ports.pair(self._wanted_port)
            self._client = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(60, connect=5))
            await self._start_database()
            await self.start_simulator()
            if self._migrate:
                await self._run_migrations()
            await self.start_host()
            self._kept.remember(schema=self._migrate)
            running_system.announce(self.state_dir, simulator_port=self.simulator_port)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop what runs, in reverse order; may be called twice."""
        if self.instances is not None:
            await self.instances.stop()
        for child in (self._host, self._simulator):
            if child is not None:
                await child.stop()
        await self.postgres.stop()
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        if self._rotation is not None:
            self._rotation.cancel()
            await asyncio.gather(self._rotation, return_exceptions=True)
            self._rotation = None
        self._pid_file.unlink(missing_ok=True)
        running_system.withdraw(self.state_dir)
        self._lock.release()

    async def wait_until_a_part_ends(self) -> str:
        """Wait until any part ends unexpectedly. Returns the message."""
        children = [child for child in (self._host, self._simulator) if child is not None]
        children += self.instances.children if self.instances is not None else []
        waiting = {
            asyncio.create_task(child.wait()): f"{child.name} ended unexpectedly (log: {child.log})"
            for child in children
        }
        if not self.postgres.external:
            log = self.logs / "postgres.log"
            waiting[asyncio.create_task(self.postgres.wait())] = f"PostgreSQL ended unexpectedly (log: {log})"
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return waiting[done.pop()]
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # The host

    async def start_host(self, *, wait: bool = True) -> None:
        """Start the Functions host, by default waiting until the app is ready."""
        if self._wanted_instances is not None:
            await self._start_instances(wait)
            return
        self._progress("starting the Functions host")
        self._host = self._python(
            "the Functions host",
            "infra.local.functions_host",
            [
                "start",
                "--port",
                str(self.port),
                "--state",
                str(self.state_dir / "functions"),
                "--app",
                str(self._app),
            ],
            log="functions.log",
            env=self.host_environment(),
        )
        await self._host.start()
        self._write_pids()
        if wait:
            await self.wait_ready()

    async def _start_instances(self, wait: bool) -> None:
        self._progress("starting the instances of the app")
        if self.instances is None:
            self.instances = AppInstances(
                state=self.state_dir / "functions",
                logs=self.logs,
                port=self.port,
                app=self._app,
                environment=self.host_environment(),
                ready_path=self._ready_path,
                on_change=self._write_pids,
            )
        await self.instances.start(self._wanted_instances or {}, wait=wait)

    async def wait_ready(self) -> None:
        """Wait until the app answers 200 at its ready path; raises :class:`LocalError` when it does not."""
        if self.instances is not None:
            await self.instances.wait_ready()
            return
        await wait_for(self.client, _present(self._host), f"{self.base_url}{self._ready_path}")

    async def stop_host(self) -> None:
        """Stop the Functions host, or every instance, as a deployment would (SIGTERM)."""
        if self.instances is not None:
            await self.instances.stop()
            return
        await _present(self._host).stop()

    async def kill_host(self) -> None:
        """SIGKILL the Functions host, or every instance; its state and ours stay as they are."""
        if self.instances is not None:
            await self.instances.kill_all()
            return
        await _present(self._host).kill()

    def host_environment(self) -> dict[str, str]:
        """Environment of the Functions host: the settings of the app as Azure would give them."""
        keys = {
            "ADMIN_ASSISTANT_PERSON_KEY_STORE": str(self.state_dir / "person-keys"),
            "ADMIN_ASSISTANT_STORAGE": str(self.state_dir / "storage"),
        }
        return environment.for_app(self.simulator_url, self.database_url) | keys | self._env

    # The simulator

    async def start_simulator(self) -> None:
        """Start the Graph simulator with the mailboxes it had."""
        self._progress("starting the Graph simulator")
        arguments = ["--port", str(self.simulator_port), "--state", str(self._kept.mailboxes)]
        if self._latency_ms:
            arguments += ["--latency-ms", str(self._latency_ms)]
        self._simulator = self._python(
            "the Graph simulator",
            "infra.local.graph_simulator",
            arguments,
            log="simulator.log",
            env=environment.cleaned(),
        )
        await self._simulator.start()
        self._write_pids()
        await wait_for(self.client, self._simulator, f"{self.simulator_url}/_simulator/counters")

    async def simulator(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Call an admin route of the simulator (``path`` below ``/_simulator/``); returns its JSON.

        Bytes go as they are, everything else as JSON. Raises :class:`LocalError` with the simulator's
        answer when it refuses.
        """
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        response = await self.client.request(
            method,
            f"{self.simulator_url}/_simulator/{path.lstrip('/')}",
            content=content,
            params={name: value for name, value in params.items() if value is not None},
            headers={"Content-Type": kind} if content is not None else None,
        )
        if response.is_error:
            raise LocalError(
                f"the simulator answered {response.status_code} to {method} {path}: {response.text[:300]}"
            )
        return response.json() if response.content else None

    async def token(
        self,
        address: str = identities.ADMIN_ADDRESS,
        roles: Sequence[str] = ("Admin",),
        *,
        scope: str = "access_as_user",
        app_only: bool = False,
        **claims: Any,
    ) -> str:
        """Access token of the simulator's Entra for our API: a person's, or an app's (``app_only``)."""
        answer = await self.simulator(
            "POST", "tokens", token_request(address, roles, scope, app_only) | claims
        )
        return str(answer["token"])

    # Inside

    async def _start_database(self) -> None:
        self._progress("starting PostgreSQL")
        expected = self._kept.database_expected and not self.postgres.external
        try:
            await self.postgres.start(expected=expected)
            known = not self._kept.schema_expected or await self.postgres.has_table("alembic_version")
        except DamagedState as error:
            raise self._kept.refused(str(error)) from error
        if not known:
            raise self._kept.refused(f"the database {self.postgres.database} has been emptied or is gone")

    async def _run_migrations(self) -> None:
        self._progress("migrating the database")
        await migrate(self.owner_database_url, self.logs)

    def _check_room(self) -> None:
        new = not self._kept.database_expected
        if told := disks.trouble(self.state_dir, disks.ROOM_TO_START if new else disks.ROOM_TO_RUN):
            raise LocalError(told)

    def _python(
        self, name: str, module: str, arguments: list[str], *, log: str, env: Mapping[str, str]
    ) -> Child:
        command = [sys.executable, "-m", module, *arguments]
        # Keys and contents of calendars are in what they write.
        return Child(name, command, log=self.logs / log, env=env, cwd=ROOT, umask=0o077)

    @property
    def _log_files(self) -> list[Path]:
        names = ("functions.log", "simulator.log", "postgres.log", "migrate.log")
        return [self.logs / name for name in names] + (self.instances.log_files if self.instances else [])

    @property
    def _pid_file(self) -> Path:
        return self.state_dir / "processes.json"

    def _write_pids(self) -> None:
        children = [self._simulator, self._host, *(self.instances.children if self.instances else ())]
        pids = [child.pid for child in children if child is not None and child.running]
        write_private(self._pid_file, json.dumps(pids))

    async def _end_orphans(self) -> None:
        # This system holds the lock of the folder. So a process that still uses the folder is orphaned.
        with contextlib.suppress(FileNotFoundError, ValueError):
            for pid in reversed(json.loads(self._pid_file.read_text())):
                await end_orphan(int(pid), str(self.state_dir))
        # The supervisor may have died before it wrote down whom it had started.
        for pid in leftovers(self.state_dir, _MODULES):
            await end_orphan(pid, str(self.state_dir))


def _present(child: Child | None) -> Child:
    if child is None:
        raise RuntimeError("the stack is not started")
    return child
