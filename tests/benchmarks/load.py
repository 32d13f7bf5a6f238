"""A closed loop of HTTP clients, cheap enough to leave the machine to what it measures.

Each client has one connection, and a new one where the server closes it, and sends its next request when it
has the answer to the last one. Answers are read by Content-Length, which every server measured here sends.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_PATIENCE = 30.0
_OK = b"HTTP/1.1 200"


@dataclass(slots=True)
class Load:
    """What was seen by all clients together; latencies in seconds, ``errors`` by status line or exception."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Nearest rank; 0 if nothing was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def row(self) -> dict[str, Any]:
        """For printing, in milliseconds."""
        return {
            "per_second": round(self.per_second, 1),
            "p50_ms": round(self.percentile(0.50) * 1000, 2),
            "p99_ms": round(self.percentile(0.99) * 1000, 2),
            "errors": sum(self.errors.values()),
        }


def request(host: str, path: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def drive(port: int, requests: Sequence[bytes], seconds: float) -> Load:
    """As many clients as there are ``requests``, each repeating its own for ``seconds``."""
    load = Load(seconds=0.0)
    began = time.perf_counter()
    await asyncio.gather(*(_client(port, sent, began + seconds, load) for sent in requests))
    load.seconds = time.perf_counter() - began
    return load


async def _client(port: int, sent: bytes, until: float, load: Load) -> None:
    while time.perf_counter() < until:
        try:
            await _connection(port, sent, until, load)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            load.errors[type(error).__name__] += 1
            await asyncio.sleep(0.05)


async def _connection(port: int, sent: bytes, until: float, load: Load) -> None:
    """Requests on one connection until the time is over or the server wants no more of them on it."""
    started, again = time.perf_counter(), True
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while again and started < until:
            async with asyncio.timeout(_PATIENCE):
                writer.write(sent)
                status, again = await _answer(reader)
            if status.startswith(_OK):
                load.latencies.append(time.perf_counter() - started)
            else:
                load.errors[status.decode(errors="replace").strip()] += 1
            started = time.perf_counter()
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """The status line once the whole answer was read, and whether the connection stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    await reader.readexactly(int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    return head.partition(b"\r\n")[0], b"connection: close" not in lower
