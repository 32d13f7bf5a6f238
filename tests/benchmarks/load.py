"""A closed loop of HTTP clients, cheap enough to leave the machine to what it measures.

Each client has one connection, and a new one if the server closes it. It sends its next request when it has
the answer to the last one. Answers are read by Content-Length, which every server measured here sends.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

_PATIENCE = 30.0
_OK = (b"HTTP/1.1 200", b"HTTP/1.1 201")
#: In the bytes of a request, this is replaced by a key that no other request has.
UNIQUE = b"00000000-unique-key-000000000000"


@dataclass(slots=True)
class Load:
    """The results of all clients together. Latencies are in seconds, ``errors`` by status line or exception.

    ``served`` are the latencies on the clock of the server's own CPU, so other processes do not lengthen
    them. For a server that is never idle, they are its latencies on a quiet machine.
    """

    seconds: float
    latencies: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def row(self) -> dict[str, Any]:
        """For printing, in milliseconds."""
        return {
            "per_second": round(self.per_second, 1),
            "p50_ms": _milliseconds(self.latencies, 0.50),
            "p99_ms": _milliseconds(self.latencies, 0.99),
            "served_p50_ms": _milliseconds(self.served, 0.50),
            "served_p99_ms": _milliseconds(self.served, 0.99),
            "errors": sum(self.errors.values()),
        }


def _milliseconds(seconds: list[float], share: float) -> float:
    """A percentile, nearest rank; 0 if nothing was answered."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2) if ordered else 0.0


def request(
    host: str,
    path: str,
    headers: Sequence[tuple[str, str]] = (),
    *,
    method: str = "GET",
    content: bytes | None = None,
) -> bytes:
    """The bytes of a request; ``content`` is JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if content is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (content or b"")


async def drive(port: int, requests: Sequence[bytes], seconds: float, pid: int) -> Load:
    """As many clients as there are ``requests``, each repeating its own for ``seconds``; the server's pid."""
    load = Load(seconds=0.0)
    clock = _cpu_clock(pid)
    began = time.perf_counter()
    await asyncio.gather(*(_client(port, sent, began + seconds, load, clock) for sent in requests))
    load.seconds = time.perf_counter() - began
    return load


def _cpu_clock(pid: int) -> int:
    """The clock of a process's CPU time, as clock_getcpuclockid(3) makes it on Linux."""
    return (~pid << 3) | 2


async def _client(port: int, sent: bytes, until: float, load: Load, clock: int) -> None:
    while time.perf_counter() < until:
        try:
            await _connection(port, sent, until, load, clock)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            load.errors[type(error).__name__] += 1
            await asyncio.sleep(0.05)


async def _connection(port: int, sent: bytes, until: float, load: Load, clock: int) -> None:
    """Requests on one connection until the time is over or the server wants no more of them on it."""
    started, cpu, again = time.perf_counter(), time.clock_gettime(clock), True
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while again and started < until:
            async with asyncio.timeout(_PATIENCE):
                writer.write(sent.replace(UNIQUE, uuid4().hex.encode()))
                status, again = await _answer(reader)
            if status.startswith(_OK):
                load.latencies.append(time.perf_counter() - started)
                load.served.append(time.clock_gettime(clock) - cpu)
            else:
                load.errors[status.decode(errors="replace").strip()] += 1
            started, cpu = time.perf_counter(), time.clock_gettime(clock)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """The status line once the whole answer was read, and whether the connection stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    await reader.readexactly(int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    return head.partition(b"\r\n")[0], b"connection: close" not in lower
