"""Clients that send slowly, or not at all, are in nobody's way."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.integration.functions_host.running_host import RunningHost, write_app

APP = """
import asyncio

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="echo", methods=["POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body())


@app.route(route="slow", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(2.5)
    return func.HttpResponse(b"y" * 12_000_000)
"""
LIMIT = {"FUNCTIONS_SLOW_CONNECTION_SECONDS": "1"}
SLOW = 200
BODY = b"x" * 1000


@contextmanager
def slow_clients(host: RunningHost, begun: bytes) -> Iterator[list[socket.socket]]:
    """``SLOW`` connections, each with the beginning of a request."""
    url = host.client.base_url
    with ExitStack() as stack:
        clients = []
        for _ in range(SLOW):
            client = stack.enter_context(socket.create_connection((url.host, url.port or 80), timeout=20))
            client.sendall(begun)
            clients.append(client)
        yield clients


def test_slow_bodies_and_idle_connections_starve_nobody_and_are_served_in_the_end(tmp_path: Path) -> None:
    head = b"POST /api/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n"
    with RunningHost(write_app(tmp_path / "app", APP)) as host:
        with slow_clients(host, head + BODY[:10]) as slow, slow_clients(host, b"POST /api/echo"):
            for number in range(20):
                assert host.client.post("/api/echo", content=str(number)).text == str(number)
            for client in slow[:5]:
                client.sendall(BODY[10:])
                received = b"".join(iter(partial(client.recv, 65536), b""))
                assert received.startswith(b"HTTP/1.1 200")
                assert received.endswith(BODY)
        # Those who left in the middle leave nothing behind.
        assert host.client.post("/api/echo", content="after").text == "after"


def test_a_client_that_sends_no_whole_request_in_time_is_disconnected(tmp_path: Path) -> None:
    beginnings = {
        "nothing": b"",
        "half a line": b"POST /api/ec",
        "half a head": b"POST /api/echo HTTP/1.1\r\nHost: a\r\n",
        "a second request that never comes": b"GET /api/none HTTP/1.1\r\nHost: a\r\n\r\n",
        "half a body": b"POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nxxx",
    }
    with RunningHost(write_app(tmp_path / "app", APP), env=LIMIT) as host:
        url = host.client.base_url
        with ExitStack() as stack:
            clients = {}
            for name, begun in beginnings.items():
                clients[name] = stack.enter_context(
                    socket.create_connection((url.host, url.port or 80), timeout=20)
                )
                clients[name].sendall(begun)
            received = {name: until_closed(client) for name, client in clients.items()}
        assert received["nothing"] == received["half a line"] == received["half a head"] == b""
        assert received["half a body"].startswith(b"HTTP/1.1 408")
        assert received["a second request that never comes"].startswith(b"HTTP/1.1 404")


def test_an_answer_takes_as_long_as_it_takes_to_make_and_to_read(tmp_path: Path) -> None:
    with RunningHost(write_app(tmp_path / "app", APP), env=LIMIT) as host:
        url = host.client.base_url
        with socket.create_connection((url.host, url.port or 80), timeout=20) as client:
            # The answer is larger than this buffer and any that the host's side has.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            client.sendall(b"GET /api/slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            first = client.recv(10_000)
            time.sleep(2.5)
            rest = until_closed(client)
        assert first.startswith(b"HTTP/1.1 200")
        assert len(first) + len(rest) > 12_000_000


def until_closed(client: socket.socket) -> bytes:
    """What comes until the other side closes, in whatever way."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while part := client.recv(65536):
            received += part
    return bytes(received)
