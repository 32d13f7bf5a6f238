"""A world is at rest when its dispatcher did everything that was due."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.simulation.resting import come_to_rest


@pytest.mark.parametrize(
    ("ticks", "open_work", "needed"),
    [
        ([True], [0], 1),
        # The process died. What was due is still due, and no run is open for it.
        ([False, True], [0, 0], 2),
        ([False, False, True], [0, 0, 0], 3),
        # A run is open that no orchestration carries out.
        ([True, True], [1, 0], 2),
    ],
)
async def test_ticks_until_everything_due_is_done(
    ticks: Sequence[bool], open_work: Sequence[int], needed: int
) -> None:
    ticked = iter(ticks)
    made: list[bool] = []

    async def tick() -> bool:
        made.append(next(ticked))
        return made[-1]

    async def count() -> int:
        return open_work[len(made) - 1]

    assert await come_to_rest(tick, lambda: False, count, 60.0)
    assert len(made) == needed


async def test_tells_that_it_found_no_rest() -> None:
    async def tick() -> bool:
        await asyncio.sleep(0.01)
        return False

    async def count() -> int:
        return 0

    assert not await come_to_rest(tick, lambda: False, count, 0.03)
