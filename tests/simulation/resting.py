"""When a simulated world is at rest: everything due was done, and nothing runs."""

import asyncio
from collections.abc import Awaitable, Callable

# How long (seconds) work that a tick started is waited for at most, and how often that is checked.
_TICK = 300.0
_LOOKS = 60


async def come_to_rest(
    tick: Callable[[], Awaitable[bool]],
    busy: Callable[[], bool],
    open_work: Callable[[], Awaitable[int]],
    longest: float,
) -> bool:
    """Let the dispatcher tick until the world is at rest. False if it is not after ``longest`` seconds.

    ``tick`` tells whether it did everything that was due. A tick that failed leaves that to the next one:
    overlaps that expired, for example, are still open.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + longest
    while loop.time() < until:
        done = await tick()
        for _ in range(_LOOKS):
            if not busy():
                break
            await asyncio.sleep(_TICK / _LOOKS)
        if done and not busy() and not await open_work():
            return True
    return False
