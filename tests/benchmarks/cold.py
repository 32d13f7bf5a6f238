"""Cold start of our app against a bare durable one in the same host, bytecode compiled.

Indexing is the time from the start of the host process to its home page. The host serves it once it has
loaded and indexed the app. The first request validates a token and reads the database (for the bare app: its
hello). It reads the caller's own appointments, as a page does that somebody opens. Most others open a
session, and so load SQLAlchemy: ``session_request`` is such a first request. All are taken in turn, several
rounds, each in a new process. The ratios are those of the medians. Indexing has two starts of ours in each
round, whatever is asked afterwards. Ratios of CPU do not depend on the machine's other load.
"""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.local import ports
from infra.local.deployment.unpacking import environment_of
from infra.local.stack import Stack
from tests.benchmarks.api import APPS, host_process
from tests.benchmarks.frameworks import query
from tests.benchmarks.processes import precise_cpu_seconds
from tests.benchmarks.seeding import add_people

_ROUNDS = 7
# What is measured, with the starts of ours that are alike until then.
_ALIKE = {
    **dict.fromkeys(("indexing", "indexing_cpu"), ("ours", "session")),
    **dict.fromkeys(("first_request", "first_request_cpu"), ("ours",)),
}
_MEASURED = tuple(_ALIKE)


@dataclass(frozen=True, slots=True)
class _Start:
    """One start in seconds; each first request includes the indexing before it."""

    indexing: float
    first_request: float
    indexing_cpu: float
    first_request_cpu: float


async def measure(rounds: int = _ROUNDS, package: Path | None = None) -> list[dict[str, Any]]:
    """Milliseconds of each app, and ours over the bare one's.

    With an unpacked ``package`` ours starts from it alone; nothing is written beside it, as in Azure.
    """
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        async with Stack(Path(folder) / "state") as stack:
            person = (await add_people(stack.database_url, 1, 1, query.START))[0]
            token = await stack.token(person.address, ("User",))
            env = stack.host_environment()
            await stack.stop_host()
            alone: dict[str, str] = {}
            if package is not None:
                alone = environment_of(package, Path(folder) / "host") | {"PYTHONDONTWRITEBYTECODE": "1"}
            apps = {
                "bare": (APPS / "durable_hello", "/api/hello", env),
                "ours": (package, f"/api/v1/appointments?{query.MONTH}", env | alone),
                "session": (package, "/api/v1/notifications", env | alone),
            }
            seconds: dict[str, list[_Start]] = {name: [] for name in apps}
            for number in range(rounds + 1):
                for name, (app, asked, given) in apps.items():
                    state = Path(folder) / f"{name}-{number}"
                    found = await _started(app, state, given, asked, token)
                    # The first start of each compiles what was not compiled yet.
                    if number:
                        seconds[name].append(found)
    return [
        {
            "rounds": rounds,
            **{name: _medians(starts) for name, starts in seconds.items()},
            **{f"{name}_over_bare": _ratio(seconds, _ALIKE[name], name) for name in _MEASURED},
            "session_request_over_bare": _ratio(seconds, ("session",), "first_request"),
            "session_request_cpu_over_bare": _ratio(seconds, ("session",), "first_request_cpu"),
        }
    ]


async def _started(app: Path | None, state: Path, env: Mapping[str, str], asked: str, token: str) -> _Start:
    """Seconds until the host answered for the first time, and until it answered the first real request."""
    port = ports.pair(0)[0]
    host = host_process("host", app, port, state, env)
    base = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    await host.start()
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            # The host listens before it loads the app: who connects is answered as soon as that is done.
            while True:
                try:
                    (await client.get(base)).raise_for_status()
                    break
                except httpx.ConnectError:
                    if not host.running:
                        raise RuntimeError(host.log_tail()) from None
            served, served_cpu = time.perf_counter() - began, precise_cpu_seconds(host.pid)
            answer = await client.get(base + asked, headers={"Authorization": f"Bearer {token}"})
            answer.raise_for_status()
            return _Start(served, time.perf_counter() - began, served_cpu, precise_cpu_seconds(host.pid))
    finally:
        await host.stop()


def _ratio(seconds: Mapping[str, list[_Start]], ours: Sequence[str], name: str) -> float:
    """Of the medians of the rounds: a single start is too easily disturbed to be compared with another."""
    started = _medians([start for app in ours for start in seconds[app]])
    return round(started[f"{name}_ms"] / _medians(seconds["bare"])[f"{name}_ms"], 2)


def _medians(starts: list[_Start]) -> dict[str, float]:
    return {
        f"{name}_ms": round(statistics.median(getattr(start, name) for start in starts) * 1000, 1)
        for name in _MEASURED
    }
