"""How each server of the local host takes requests: one set of limits, and no connection held for nothing."""

import asyncio
import os
import socket

from aiohttp import web

from infra.local.functions_host.slow_connections import LIMIT_SECONDS, SlowConnections

_SLOW_SETTING = "FUNCTIONS_SLOW_CONNECTION_SECONDS"
#: Limits of the real host's server: headers, and request line.
HEADER_LIMIT = 32_768
LINE_LIMIT = 16_384


async def without_server_name(request: web.Request, response: web.StreamResponse) -> None:
    """For ``on_response_prepare``: Azure does not say which server answers."""
    response.headers.popall("Server", None)


class Server:
    """One application on one socket. Its first middleware must be ``slow.middleware``."""

    def __init__(self) -> None:
        self.slow = SlowConnections(float(os.environ.get(_SLOW_SETTING) or LIMIT_SECONDS))
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, app: web.Application, listener: socket.socket) -> None:
        """Serve until ``close``; raises OSError if the socket cannot be served."""
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            auto_decompress=False,
            max_field_size=HEADER_LIMIT,
            max_line_size=LINE_LIMIT,
            shutdown_timeout=0.5,
            keepalive_timeout=self.slow.limit_seconds,
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listener, backlog=1024).start()
        if self._runner.server is not None:
            self._watch = asyncio.create_task(self.slow.watch(self._runner.server), name="slow connections")

    async def stop_listening(self) -> None:
        """Accept no more connections. Open ones continue."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()

    async def close(self) -> None:
        """Close the socket and every connection."""
        if self._watch is not None:
            self._watch.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
