"""Closes connections that wait without sending a whole request, so that nobody can hold them for nothing.

Azure's front ends do the same. An answer may take any time, to be computed and to be read.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from infra.local.functions_host.logs import HOST

#: Seconds for the head of a request or between two of them, and as many for the body.
LIMIT_SECONDS = 60.0
_LOOKS_IN_A_LIMIT = 10


class SlowConnections:
    """Watches the connections of one server."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        self.limit_seconds = limit_seconds
        #: Connections with a request in the hands of a handler.
        self._busy: set[Any] = set()
        #: Since when the others wait, in seconds of the loop.
        self._waiting: dict[Any, float] = {}

    @property
    def middleware(self) -> Any:
        """Has to be the outermost: it reads the body, and answers 408 where that takes too long."""

        @web.middleware
        async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
            with self._answering(request.protocol):
                try:
                    async with asyncio.timeout(self.limit_seconds):
                        if request.body_exists:
                            await request.read()
                except TimeoutError:
                    response = web.Response(status=408)
                    response.force_close()
                    return response
                answer: web.StreamResponse = await handler(request)
                return answer

        return middleware

    async def watch(self, server: web.Server) -> None:
        """Close what waits too long, until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            connections = server.connections
            self._waiting = {each: since for each, since in self._waiting.items() if each in connections}
            for connection in connections:
                transport = connection.transport
                reading = transport is not None and transport.get_write_buffer_size() > 0
                if connection in self._busy or reading:
                    self._waiting.pop(connection, None)
                elif clock() - self._waiting.setdefault(connection, clock()) > self.limit_seconds:
                    HOST.debug("Closed a connection that sent no request for %.0f s", self.limit_seconds)
                    if transport is not None:
                        transport.abort()
            await asyncio.sleep(self.limit_seconds / _LOOKS_IN_A_LIMIT)

    @contextlib.contextmanager
    def _answering(self, connection: Any) -> Iterator[None]:
        self._busy.add(connection)
        self._waiting.pop(connection, None)
        try:
            yield
        finally:
            self._busy.discard(connection)
