"""The one port in front of several instances: each request goes to the next of them in turn.

It replaces the front end of Azure App Service. A file lists the instances and is read again whenever it
changes. An instance that refuses the connection is skipped. If one ends during an answer, that answer is a
502, as in Azure, because it is unknown whether the request was carried out.
"""

import argparse
import asyncio
import json
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from infra.local.functions_host import logs
from infra.local.functions_host.errors import StartupError
from infra.local.functions_host.logs import HOST
from infra.local.functions_host.process_start import allow_many_connections, bound
from infra.local.functions_host.serving import HEADER_LIMIT, LINE_LIMIT, Server, without_server_name

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "proxy-connection"}
)
# The instances enforce the real limit. The front only buffers a body in memory before it forwards it.
_BODY_LIMIT = 2**31
_CONNECT_SECONDS = 5.0


class Backends:
    """The ports in the file, in turn."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = -1
        self._ports: list[int] = []
        self._next = 0

    def in_turn(self) -> Iterator[int]:
        """Every port once, beginning with the one whose turn it is."""
        self._read()
        ports = self._ports
        first, self._next = self._next, self._next + 1
        for offset in range(len(ports)):
            yield ports[(first + offset) % len(ports)]

    def _read(self) -> None:
        try:
            seen = self._path.stat().st_mtime_ns
            if seen != self._seen:
                self._ports = [int(port) for port in json.loads(self._path.read_text())]
                self._seen = seen
        except FileNotFoundError:
            self._ports, self._seen = [], -1


class Front:
    """Passes requests on."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Makes the connections' pool; call it on the loop that serves."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers={hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            max_field_size=HEADER_LIMIT,
            max_line_size=LINE_LIMIT,
        )

    async def close(self) -> None:
        """Lets the connections go."""
        if self._session is not None:
            await self._session.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer of the next instance that takes the connection; 503 without one."""
        for port in self._backends.in_turn():
            try:
                return await self._passed_on(request, port)
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, ConnectionError) as error:
                HOST.warning("%s %s: the instance went (%r)", request.method, request.path, error)
                return web.Response(status=502, text="502 Bad Gateway", headers={"Connection": "close"})
        return web.Response(status=503, text="503 Service Unavailable", headers={"Connection": "close"})

    async def _passed_on(self, request: web.Request, port: int) -> web.StreamResponse:
        if self._session is None:
            raise RuntimeError("the front is not open")
        body = await request.read() if request.body_exists else None
        path = request.raw_path if request.raw_path.startswith("/") else request.rel_url.raw_path_qs
        async with self._session.request(
            request.method,
            URL(f"http://127.0.0.1:{port}{path}", encoded=True),
            headers=_onward(request),
            data=body,
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            response.headers.clear()
            for name, value in _end_to_end(answer.headers.items()):
                response.headers.add(name, value)
            await response.prepare(request)
            async for part in answer.content.iter_any():
                await response.write(part)
            await response.write_eof()
            return response


def _onward(request: web.Request) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict(_end_to_end(request.headers.items()))
    # The address that the front saw comes last, as Azure's front end writes it.
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    seen = f"{peer[0]}:{peer[1]}" if peer else ""
    before = headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = f"{before}, {seen}" if before else seen
    return headers


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


def run(arguments: Sequence[str]) -> int:
    """Serves until SIGINT or SIGTERM. Raises StartupError."""
    parser = argparse.ArgumentParser(prog="func front", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--backends", type=Path, required=True, help="JSON list of ports")
    given = parser.parse_args(arguments)
    logs.configure({}, lambda: None, verbose=False)
    allow_many_connections()
    with bound(given.port) as listener:
        asyncio.run(_serve(Backends(given.backends), listener))
    return 0


async def _serve(backends: Backends, listener: Any) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    front = Front(backends)
    await front.open()
    server = Server()
    app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[server.slow.middleware])
    app.on_response_prepare.append(without_server_name)
    app.router.add_route("*", "/{path:(?s:.*)}", front.handle)
    try:
        await server.start(app, listener)
        HOST.info("Front started on http://127.0.0.1:%d", listener.getsockname()[1])
        await stop.wait()
    except OSError as error:
        raise StartupError(str(error)) from error
    finally:
        await server.close()
        await front.close()
