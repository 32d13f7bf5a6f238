"""Ends the wait of readers for a database that says nothing, as a frozen server does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from shared.database import failures

#: A reader that has waited this long (seconds) asks whether the server is there at all.
PATIENCE_SECONDS: Final = 2.0


class SilenceWatch:
    """Tells a slow statement from a server that is frozen; for one event loop.

    A slow statement may take its time. A frozen server does not even let a new connection in. ``answers``
    tries that once, within a time of its own.
    """

    def __init__(self, answers: Callable[[], Awaitable[bool]]) -> None:
        self._answers = answers
        self._asking: asyncio.Task[bool] | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Raises Unavailable, and cancels the block, once the server says nothing."""
        limit, watching = asyncio.timeout(None), set[asyncio.Task[None]]()
        try:
            async with limit:
                first = asyncio.get_running_loop().call_later(
                    PATIENCE_SECONDS, lambda: watching.add(asyncio.create_task(self._watch(limit)))
                )
                try:
                    yield
                finally:
                    first.cancel()
                    for watch in watching:
                        watch.cancel()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise failures.connection_failure(error) from error

    async def _watch(self, limit: asyncio.Timeout) -> None:
        there = await self._is_there()
        while there:
            await asyncio.sleep(PATIENCE_SECONDS)
            there = await self._is_there()
        limit.reschedule(asyncio.get_running_loop().time())

    async def _is_there(self) -> bool:
        """All who wait ask together."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._answers())
        return await asyncio.shield(self._asking)
