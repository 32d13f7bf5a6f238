"""How long a batch may take: its own time begins when it is sent, not while it waits for its turn."""

import asyncio
import selectors
from typing import Any
from uuid import uuid4

import pytest

from shared.domain.calendars.calendar_port import Write
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.client import GraphClient
from shared.graph.throttle import Throttle
from shared.settings import longest_turn_wait
from tests.support.settings import make_settings

TIMEOUT = 30.0


class JumpingSelector(selectors.SelectSelector):
    """Waits in no time at all; the loop's clock moves on by what it would have waited."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.elapsed += timeout or 0.0
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while it waits."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed


async def send(monkeypatch: pytest.MonkeyPatch, turn_after: float, answer_after: float) -> tuple[str, bool]:
    """What ended a write that gets its turn and its answer so late, and whether it was sent at all."""
    client = GraphClient.create(make_settings())
    throttle = Throttle()
    posted = asyncio.Event()

    async def token() -> str:
        return "token"

    async def post_batch(content: bytes, bearer: str, *, writes: int) -> Any:
        posted.set()
        await asyncio.sleep(answer_after)
        raise ConnectionResetError

    monkeypatch.setattr(client, "token", token)
    monkeypatch.setattr(client, "post_batch", post_batch)
    adapter = CalendarAdapter(client, throttle)

    async def occupy() -> None:
        async with throttle.slots("m", 4):
            await asyncio.sleep(turn_after)

    occupied = asyncio.create_task(occupy())
    await asyncio.sleep(0)
    (answer,) = await adapter.send("m", "c", [Write(uuid4(), "create", b"{}")], TIMEOUT)
    await occupied
    return answer.code, posted.is_set()


@pytest.mark.parametrize(
    ("turn_after", "answer_after", "code", "posted"),
    [
        (0.0, TIMEOUT - 1, "connection", True),
        (longest_turn_wait(TIMEOUT) - 1, TIMEOUT - 1, "connection", True),
        (longest_turn_wait(TIMEOUT) - 1, TIMEOUT + 1, "timeout", True),
        (longest_turn_wait(TIMEOUT) + 1, 0.0, "timeout", False),
    ],
)
def test_a_batch_has_its_whole_time_from_when_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
    turn_after: float,
    answer_after: float,
    code: str,
    *,
    posted: bool,
) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        found = runner.run(send(monkeypatch, turn_after, answer_after))
    assert found == (code, posted)
