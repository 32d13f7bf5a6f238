"""`maxConcurrentRequests` and `maxOutstandingRequests` of `host.json`.

Source: Functions docs, "Azure Functions HTTP triggers and bindings", section "host.json settings".
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestThrottle:
    """Limits how many requests run at a time, and how many run or wait. 0 is no limit."""

    def __init__(self, concurrent: int, outstanding: int) -> None:
        self._room = asyncio.Semaphore(concurrent) if concurrent else None
        self._outstanding_limit = outstanding
        self._outstanding = 0

    def limited(self, handler: Handler) -> Handler:
        """The handler within the limits. 429 above the outstanding ones."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if self._outstanding_limit and self._outstanding >= self._outstanding_limit:
                return web.Response(status=429)
            self._outstanding += 1
            try:
                if self._room is None:
                    return await handler(request)
                async with self._room:
                    return await handler(request)
            finally:
                self._outstanding -= 1

        return answer
