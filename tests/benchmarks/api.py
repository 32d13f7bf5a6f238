"""Requests a second and latencies of our API, beside what else could have served them.

Every server runs one process on the same machine and database, and is asked in turn at each number of
clients, several rounds; the row of a server is the round with the median p99. ``hello`` is a function in the
same host that does nothing: what the host itself costs; ``bare`` is one that does a single query with the
driver alone and returns the JSON PostgreSQL made: what no API that reads can beat here. FastAPI and Flask
ask the database for the same rows, but believe the caller; ours validates a token for each request, as it
always does. The limit of requests of one caller is lifted by name: each client is a person of his own.
"""

import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local import environment, ports
from infra.local.processes import Child
from infra.local.stack import ROOT, Stack
from tests.benchmarks import load
from tests.benchmarks.frameworks import query
from tests.benchmarks.processes import cpu_seconds, until_it_answers
from tests.benchmarks.seeding import Person, add_people

CLIENTS = (1, 16, 64, 200)
OPERATIONS = ("list", "get")
#: The limit of one caller's requests, lifted by name.
LIFTED = {"ADMIN_ASSISTANT_RATE_LIMIT_PER_SECOND": "0"}
_POOL = 10
#: Bare apps to compare with.
APPS = Path(__file__).parent / "apps"
_FRAMEWORKS = {"fastapi": "fastapi_app", "flask": "flask_app"}
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Server:
    """One of those compared: where it listens, and what each person asks it."""

    name: str
    port: int
    pid: int
    asked: Mapping[str, list[bytes]]


async def measure(
    clients: tuple[int, ...] = CLIENTS,
    *,
    rounds: int = 3,
    seconds: float = 2.0,
    frameworks: bool = True,
) -> list[dict[str, Any]]:
    """A row for each operation and number of clients."""
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        async with (
            Stack(Path(folder) / "state", env=LIFTED) as stack,
            _servers(stack, Path(folder), max(clients), frameworks) as servers,
        ):
            for server in servers:
                for requests in server.asked.values():
                    await load.drive(server.port, requests[:16], _WARM_UP_SECONDS)
            return [
                await _row(servers, operation, count, rounds, seconds)
                for count in clients
                for operation in OPERATIONS
            ]


async def _row(
    servers: list[Server], operation: str, clients: int, rounds: int, seconds: float
) -> dict[str, Any]:
    measured: dict[str, list[dict[str, Any]]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            cpu = cpu_seconds(server.pid)
            found = await load.drive(server.port, server.asked[operation][:clients], seconds)
            cpu = (cpu_seconds(server.pid) - cpu) * 1000 / max(1, len(found.latencies))
            measured[server.name].append(found.row() | {"cpu_ms": round(cpu, 2)})
    hello = statistics.median(each["p99_ms"] for each in measured["hello"])
    ours = statistics.median(each["p99_ms"] for each in measured["ours"])
    row: dict[str, Any] = {"operation": operation, "clients": clients}
    for name, rows in measured.items():
        rows.sort(key=lambda each: each["p99_ms"])
        row[name] = rows[len(rows) // 2] | {"errors": sum(each["errors"] for each in rows)}
    return row | {"p99_over_hello": round(ours / hello, 2)}


@asynccontextmanager
async def _servers(stack: Stack, folder: Path, people: int, frameworks: bool) -> AsyncIterator[list[Server]]:
    persons = await add_people(stack.database_url, people, query.PAGE * 4, query.START)
    children: list[Child] = []
    try:
        servers = [Server("ours", stack.port, stack.host_pid, await asked_of_ours(stack, persons))]
        port = ports.pair(0)[0]
        hello = host_process("hello", APPS / "hello_world", port, folder / "hello", environment.cleaned())
        children.append(hello)
        await hello.start()
        await until_it_answers(f"http://127.0.0.1:{port}/api/hello", hello)
        greeting = [load.request("127.0.0.1", "/api/hello")] * people
        servers.append(Server("hello", port, hello.pid, dict.fromkeys(OPERATIONS, greeting)))
        port = ports.pair(0)[0]
        settings = environment.cleaned() | {
            "BENCH_DATABASE": stack.database_url.replace("+asyncpg", ""),
            "BENCH_POOL": str(_POOL),
        }
        bare = host_process("bare", APPS / "bare_query", port, folder / "bare", settings)
        children.append(bare)
        servers.append(await _believing(bare, port, "/api", persons))
        for name, module in _FRAMEWORKS.items() if frameworks else ():
            port = ports.pair(0)[0]
            command = (f"tests.benchmarks.frameworks.{module}", str(port), stack.database_url, str(_POOL))
            child = Child(
                name,
                [sys.executable, "-m", *command],
                log=folder / f"{name}.log",
                env=environment.cleaned(),
                cwd=ROOT,
            )
            children.append(child)
            servers.append(await _believing(child, port, "", persons))
        yield servers
    finally:
        for child in children:
            await child.stop()


async def asked_of_ours(stack: Stack, persons: list[Person]) -> dict[str, list[bytes]]:
    """What each person asks our API, by operation."""
    asked: dict[str, list[bytes]] = {name: [] for name in OPERATIONS}
    for person in persons:
        headers = [("Authorization", f"Bearer {await stack.token(person.address, ('User',))}")]
        paths = {"list": f"?{query.MONTH}", "get": f"/{person.appointment_id}"}
        for name, path in paths.items():
            asked[name].append(load.request("127.0.0.1", f"/api/v1/appointments{path}", headers))
    return asked


async def _believing(child: Child, port: int, prefix: str, persons: list[Person]) -> Server:
    """A server that is told who calls, started."""
    await child.start()
    first = {query.CALLER: persons[0].object_id}
    await until_it_answers(f"http://127.0.0.1:{port}{prefix}/appointments", child, first)
    asked: dict[str, list[bytes]] = {name: [] for name in OPERATIONS}
    for person in persons:
        headers = [(query.CALLER, person.object_id)]
        paths = {"list": "/appointments", "get": f"/appointments/{person.appointment_id}"}
        for name, path in paths.items():
            asked[name].append(load.request("127.0.0.1", prefix + path, headers))
    return Server(child.name, port, child.pid, asked)


def host_process(name: str, app: Path | None, port: int, state: Path, env: Mapping[str, str]) -> Child:
    """The Functions host with an app (None: ours), not started yet."""
    arguments = ["start", "--port", str(port), "--app", str(app or ROOT), "--state", str(state)]
    command = [sys.executable, "-m", "infra.local.functions_host", *arguments]
    return Child(name, command, log=state.with_suffix(".log"), env=env, cwd=ROOT)
