"""Clients that send slowly, or not at all, are in nobody's way."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.integration.functions_host.running_host import RunningHost, write_app

APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="echo", methods=["POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body())
"""
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
