"""What a person learns, and how soon, when a part of the system freezes."""

import asyncio
import os
import queue
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from infra.local import vitals
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint

pytestmark = pytest.mark.asyncio(loop_scope="module")

_BOUND = 10.0
_ASKERS = 8


async def test_a_frozen_postgresql_is_told(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A frozen PostgreSQL is reported within 10 s, on the terminal and by the API, under load too."""
    headers = bearer(await stack.token())
    # Of several people: each may ask only so often.
    others = [bearer(await stack.token(f"asker{number}@example.com")) for number in range(_ASKERS)]
    said: queue.SimpleQueue[tuple[float, str]] = queue.SimpleQueue()

    async def ask(path: str, who: dict[str, str] = headers) -> tuple[int, float]:
        began = time.monotonic()
        answer = await stack.client.get(f"{stack.base_url}/api/{path}", headers=who)
        return answer.status_code, time.monotonic() - began

    async def load(who: dict[str, str]) -> None:
        while True:
            await ask("v1/archive-runs", who)
            await asyncio.sleep(0.05)

    askers = [asyncio.create_task(load(who)) for who in others]
    async with vitals.told(stack, lambda text: said.put((time.monotonic(), text))):
        await asyncio.sleep(3)
        with frozen(stack):
            began = time.monotonic()
            paths = ("health/ready", "v1/me", "v1/users", "v1/system/health")
            answers = [await asyncio.gather(*(ask(path) for path in paths)) for _ in range(2)]
            when, text = await asyncio.to_thread(said.get, timeout=30)
        for asker in askers:
            asker.cancel()
        await asyncio.gather(*askers, return_exceptions=True)
    slowest = max(seconds for round_ in answers for _, seconds in round_)
    acceptance_point(
        measured=f"terminal after {when - began:.1f} s, slowest answer {slowest:.1f} s",
        bound=f"{_BOUND:.0f} s",
    )
    assert text.startswith("PostgreSQL has not answered")
    # Health is told to an Admin, whose token says who they are, even without the database.
    assert [status for round_ in answers for status, _ in round_] == [503, 503, 503, 200] * 2
    assert max(when - began, slowest) <= _BOUND
    await answers_again(stack, headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def answers_again(stack: Stack, headers: dict[str, str]) -> None:
    async with asyncio.timeout(30):
        while (await stack.client.get(f"{stack.api}/me", headers=headers)).status_code != httpx.codes.OK:
            await asyncio.sleep(0.2)


@contextmanager
def frozen(stack: Stack) -> Iterator[None]:
    """PostgreSQL with all its processes does nothing, as on a machine that swaps or is suspended."""
    server = stack.postgres.pid
    assert server is not None
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    processes = [server, *(pid for pid, parent in pairs if parent == server)]

    def send(what: signal.Signals) -> None:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, what)

    send(signal.SIGSTOP)
    try:
        yield
    finally:
        send(signal.SIGCONT)
