"""Requests per second and latencies of our API, compared with other ways to serve the same.

Every server runs one process on the same machine and database. Each is asked in turn at each number of
clients, in several rounds. The row of a server is the round with the median p99. ``hello`` is a function in
the same host that does nothing, to show what the host costs. ``bare`` does a single query with the driver
alone and returns the JSON that PostgreSQL made. No API that reads can be faster here. FastAPI and Flask query
the same rows, but believe the caller. Ours validates a token for each request, as always. The limit of
requests per caller is lifted by name: each client is a person of their own.

Create and update change events of a local calendar, with an Idempotency-Key and their audit row. Only ours
and ``hello`` serve them. Ratios are taken within each round. ``served`` ones and those of CPU do not depend
on the machine's other load (see ``load``).
"""

import json
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
OPERATIONS = ("list", "get", "create", "update")
#: What the others that are compared can answer, too.
READS = ("list", "get")
#: The limit of one caller's requests, lifted by name.
LIFTED = {"ADMIN_ASSISTANT_RATE_LIMIT_PER_SECOND": "0"}
_POOL = 10
_HOST = "127.0.0.1"
_CREATED = json.dumps(
    {
        "subject": "Weekly",
        "start": "2026-03-02T09:00:00Z",
        "end": "2026-03-02T10:00:00Z",
        "body": "What was said. " * 20,
        "location": "Room 1",
        "categories": ["Acme - billable"],
    }
).encode()
# Another subject each time: an update that changes nothing writes nothing.
_UPDATED = json.dumps({"subject": load.UNIQUE.decode()}).encode()
#: Bare apps to compare with.
APPS = Path(__file__).parent / "apps"
_FRAMEWORKS = {"fastapi": "fastapi_app", "flask": "flask_app"}
_WARM_UP_SECONDS = 1.0
_COMPARED = ("p50", "p99", "served_p50", "served_p99", "cpu")


type Measured = dict[str, Any]


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
                for operation, requests in server.asked.items():
                    # The first change of a person makes their key (domain.md 7.1).
                    some = requests if operation == "create" else requests[:16]
                    await load.drive(server.port, some, _WARM_UP_SECONDS, server.pid)
            return [row for count in clients for row in await _rows(servers, count, rounds, seconds)]


async def _rows(servers: list[Server], clients: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each operation: every server in turn, each operation in turn, round after round."""
    found: dict[str, dict[str, list[Measured]]] = {operation: {} for operation in OPERATIONS}
    for _ in range(rounds):
        for operation, of_servers in found.items():
            for server in servers:
                if operation in server.asked:
                    of_servers.setdefault(server.name, []).append(
                        await _driven(server, operation, clients, seconds)
                    )
    rows = []
    for operation, of_servers in found.items():
        row: dict[str, Any] = {"operation": operation, "clients": clients}
        for name, of_rounds in of_servers.items():
            ordered = sorted(of_rounds, key=lambda each: float(each["p99_ms"]))
            row[name] = ordered[len(ordered) // 2] | {"errors": sum(each["errors"] for each in of_rounds)}
        ours = of_servers["ours"]
        compared = {"hello": of_servers["hello"], "get": found["get"]["ours"]}
        if "bare" in of_servers:
            compared["bare"] = of_servers["bare"]
        for name, others in compared.items():
            row |= {f"{key}_over_{name}": _ratio(ours, others, f"{key}_ms") for key in _COMPARED}
        rows.append(row)
    return rows


async def _driven(server: Server, operation: str, clients: int, seconds: float) -> Measured:
    cpu = cpu_seconds(server.pid)
    found = await load.drive(server.port, server.asked[operation][:clients], seconds, server.pid)
    cpu = (cpu_seconds(server.pid) - cpu) * 1000 / max(1, len(found.latencies))
    return found.row() | {"cpu_ms": round(cpu, 2)}


def _ratio(ours: list[Measured], others: list[Measured], name: str) -> float:
    """The median over the rounds, in each of which both were measured one shortly after the other."""
    pairs = zip(ours, others, strict=True)
    ratios: list[float] = [one[name] / max(other[name], 0.01) for one, other in pairs]
    return round(statistics.median(ratios), 2)


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
        greeting = [load.request(_HOST, "/api/hello")] * people
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
    api = "/api/v1"
    for person in persons:
        token = ("Authorization", f"Bearer {await stack.token(person.address, ('User',))}")
        appointments, events = f"{api}/appointments", f"{api}/local-calendars/{person.calendar_id}/events"
        for name, path in {"list": f"?{query.MONTH}", "get": f"/{person.appointment_id}"}.items():
            asked[name].append(load.request(_HOST, appointments + path, [token]))
        # As a careful client asks: so that a change which is asked for twice happens once.
        headers = [token, ("Idempotency-Key", load.UNIQUE.decode())]
        asked["create"].append(load.request(_HOST, events, headers, method="POST", content=_CREATED))
        headers.append(("If-Match", "*"))
        path = f"{events}/{person.event_id}"
        asked["update"].append(load.request(_HOST, path, headers, method="PATCH", content=_UPDATED))
    return asked


async def _believing(child: Child, port: int, prefix: str, persons: list[Person]) -> Server:
    """A server that is told who calls, started."""
    await child.start()
    first = {query.CALLER: persons[0].object_id}
    await until_it_answers(f"http://127.0.0.1:{port}{prefix}/appointments", child, first)
    asked: dict[str, list[bytes]] = {name: [] for name in READS}
    for person in persons:
        headers = [(query.CALLER, person.object_id)]
        paths = {"list": "/appointments", "get": f"/appointments/{person.appointment_id}"}
        for name, path in paths.items():
            asked[name].append(load.request(_HOST, prefix + path, headers))
    return Server(child.name, port, child.pid, asked)


def host_process(name: str, app: Path | None, port: int, state: Path, env: Mapping[str, str]) -> Child:
    """The Functions host with an app (None: ours), not started yet."""
    arguments = ["start", "--port", str(port), "--app", str(app or ROOT), "--state", str(state)]
    command = [sys.executable, "-m", "infra.local.functions_host", *arguments]
    return Child(name, command, log=state.with_suffix(".log"), env=env, cwd=ROOT)
