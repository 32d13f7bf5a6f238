"""The wire to PostgreSQL: a call is answered while nothing else runs, or breaks as the seed says.

Calls are answered in the order in which they were made. One that waits for a row lock is put aside until
another one has been answered, as PostgreSQL would let it wait.
"""

import asyncio
import select
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from tests.simulation.postgres_protocol import (
    BEGIN,
    BEGUN,
    PONG,
    RAISE,
    READY,
    ROLLBACK,
    ROLLED_BACK,
    SERIALIZATION_FAILURE,
    application_of,
    backend_pid,
    complete,
    replies_of,
    simple_query,
)
from tests.simulation.prober import Prober, Stalled

if TYPE_CHECKING:
    from tests.simulation.virtual_loop import VirtualLoop

_CANCEL_REQUEST = struct.pack("!II", 16, 80877102)
# A call that takes this long may be waiting for a lock; asking costs more than waiting.
_PATIENCE_SECONDS = 0.004
_LONGEST_SECONDS = 30.0


class Break(Enum):
    """What happens to one call of the database."""

    BEFORE = "connection lost before the effect"
    AFTER = "connection lost after the effect"
    SERIALIZATION = "serialization failure"


@dataclass(slots=True)
class WireFaults:
    """Decides what happens to each call; the default is nothing."""

    def strike(self, label: str, statement: bytes) -> Break | None:
        """What is to happen to a call of the process ``label``."""
        return None


@dataclass(eq=False, slots=True)
class _Call:
    data: bytes
    replies: int


class PostgresWire:
    """All connections of one simulated world to one PostgreSQL server."""

    def __init__(self, prober: "Prober") -> None:
        self._prober = prober
        self._pending: deque[WireTransport] = deque()
        self._blocked: list[WireTransport] = []
        self._open: list[WireTransport] = []
        self._dead: set[str] = set()
        self.faults = WireFaults()
        self.calls = 0

    def connect(self, loop: "VirtualLoop", protocol: asyncio.Protocol, path: str) -> "WireTransport":
        """A new connection; its startup is the first call."""
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(path)
        transport = WireTransport(self, loop, protocol, server)
        self._open.append(transport)
        protocol.connection_made(transport)
        return transport

    def answer_one(self) -> bool:
        """Answer the next call that can be answered; False if no call is open that could be."""
        while self._pending:
            transport = self._pending.popleft()
            if transport.closed:
                continue
            self._answer(transport)
            return True
        return self._answer_unblocked()

    def of(self, label: str) -> list["WireTransport"]:
        """The open connections of one process."""
        return [transport for transport in self._open if transport.label == label]

    def kill(self, label: str, *, calls_arrive: bool) -> None:
        """A process dies: its connections are gone at once, its open calls have an effect or none."""
        self._dead.add(label)
        for transport in self.of(label):
            call = transport.call
            if call is not None and calls_arrive and transport not in self._blocked:
                transport.exchange(call)
            transport.lose()

    def enqueue(self, transport: "WireTransport") -> None:
        """A connection has a call to be answered."""
        self._pending.append(transport)

    def forget(self, transport: "WireTransport") -> None:
        """A connection is closed."""
        if transport in self._open:
            self._open.remove(transport)
        if transport in self._blocked:
            self._blocked.remove(transport)
            self._prober.terminate(transport.pid)
        self._prober.wait_gone(transport.pid)

    def _answer(self, transport: "WireTransport") -> None:
        call = transport.call
        assert call is not None
        if transport.label in self._dead:
            transport.lose()
            return
        self.calls += 1
        verdict = self.faults.strike(transport.label, call.data) if transport.label else None
        if transport.closed:
            return
        if verdict is Break.BEFORE:
            transport.lose()
            return
        if verdict is Break.SERIALIZATION:
            if call.data[:1] == b"B" or call.data[5:11] == b"COMMIT":
                call = _failing(call)
            else:
                verdict = None
        if verdict is None and (shortcut := transport.shortcut(call)) is not None:
            transport.deliver(shortcut)
            return
        transport.send(call)
        self._receive(transport, call, verdict)
        # Whoever waited for a lock of the transaction that just ended goes on before anybody else.
        while self._blocked and self._answer_unblocked():
            pass

    def _receive(self, transport: "WireTransport", call: _Call, verdict: Break | None) -> None:
        reply = self._await_reply(transport, call)
        if reply is None:
            self._blocked.append(transport)
            return
        if verdict is Break.AFTER or not reply:
            transport.lose()
            return
        if verdict is Break.SERIALIZATION and call.data == ROLLBACK:
            reply = SERIALIZATION_FAILURE + READY + b"I"
        transport.deliver(reply)

    def _answer_unblocked(self) -> bool:
        for transport in list(self._blocked):
            if not self._prober.blocked(transport.pid):
                self._blocked.remove(transport)
                call = transport.call
                assert call is not None
                self._receive(transport, call, None)
                if transport not in self._blocked:
                    return True
        if self._blocked and self._prober.deadlocked([transport.pid for transport in self._blocked]):
            raise Stalled("transactions wait for each other's locks: a deadlock in the database")
        return False

    def _await_reply(self, transport: "WireTransport", call: _Call) -> bytes | None:
        began = time.perf_counter()
        patience = _PATIENCE_SECONDS
        while not transport.receive(call, patience):
            if self._prober.blocked(transport.pid):
                return None
            patience = min(2 * patience, 0.1)
            if time.perf_counter() - began > _LONGEST_SECONDS:
                raise Stalled(f"PostgreSQL does not answer {call.data[:200]!r}")
        return transport.take_reply()


class WireTransport(asyncio.Transport):
    """One connection as asyncpg sees it."""

    def __init__(
        self, wire: PostgresWire, loop: "VirtualLoop", protocol: asyncio.Protocol, server: socket.socket
    ) -> None:
        super().__init__()
        self._wire = wire
        self._loop = loop
        self._protocol = protocol
        self._socket = server
        self._greeted = False
        self._reply = bytearray()
        self._begin_held = False
        self._begun = False
        self._ping = b""
        self.closed = False
        self.call: _Call | None = None
        self.label = ""
        self.pid = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Only the socket is known."""
        return self._socket if name == "socket" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection on."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who uses the connection."""
        return self._protocol

    def is_closing(self) -> bool:
        """True once it was closed."""
        return self.closed

    def pause_reading(self) -> None:
        """Replies come only on request."""

    def resume_reading(self) -> None:
        """Replies come only on request."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue a call."""
        if self.closed:
            return
        raw = bytes(data)
        if not self._greeted:
            self._greeted = True
            if raw[:8] == _CANCEL_REQUEST:
                # Whether a cancellation arrives in time is a race: here it never does.
                self.close()
                return
            self.label = application_of(raw)
            self.call = _Call(raw, 1)
            self._wire.enqueue(self)
            return
        if raw[:1] == b"X":
            return
        replies = replies_of(raw)
        if raw[:1] == b"P" and b"\0;\0" in raw[5:60]:
            self._ping = raw[5 : raw.index(b"\0", 5)]
        if self.call is not None:
            self.call.data += raw
            self.call.replies += replies
        else:
            self.call = _Call(raw, replies)
            self._wire.enqueue(self)

    def writelines(self, list_of_data: Any) -> None:
        """Queue one call of several parts."""
        self.write(b"".join(bytes(part) for part in list_of_data))

    def close(self) -> None:
        """Close the connection; PostgreSQL has noticed when this returns."""
        self._end(None)

    def abort(self) -> None:
        """Close the connection."""
        self._end(None)

    def lose(self) -> None:
        """The connection breaks."""
        self._end(ConnectionResetError("the connection to the database broke"))

    def exchange(self, call: _Call) -> None:
        """Have a call carried out whose answer nobody waits for."""
        self.send(call)
        while not self.receive(call, 1.0):
            pass

    def send(self, call: _Call) -> None:
        """Send a call to the server, and before it the BEGIN that was held back."""
        self._begun = self._begin_held
        self._begin_held = False
        try:
            self._socket.sendall(BEGIN + call.data if self._begun else call.data)
        except OSError:
            self._reply.clear()

    def shortcut(self, call: _Call) -> bytes | None:
        """The answer to a call that needs no server, or None.

        BEGIN is held back until the transaction's first statement: to the server it is the same, and half
        of the round trips are those of connections that are only tried before use.
        """
        if call.data == BEGIN:
            self._begin_held = True
            return BEGUN
        if not self._begin_held:
            return None
        if call.data == simple_query(b"ROLLBACK;"):
            self._begin_held = False
            return ROLLED_BACK
        if self._ping and call.data[:1] == b"B" and call.data[6 : 7 + len(self._ping)] == self._ping + b"\0":
            return PONG
        return None

    def receive(self, call: _Call, patience: float) -> bool:
        """Read until the answer is complete or ``patience`` real seconds have passed."""
        replies = call.replies + self._begun if call.replies else 0
        while not complete(self._reply, replies):
            readable, _, _ = select.select([self._socket], [], [], patience)
            if not readable:
                return False
            try:
                part = self._socket.recv(1 << 18)
            except OSError:
                part = b""
            if not part:
                self._reply.clear()
                return True
            self._reply += part
        return True

    def take_reply(self) -> bytes:
        """The complete answer; empty if the server ended the connection."""
        reply = bytes(self._reply)
        self._reply.clear()
        if self._begun and reply:
            # The answer to the BEGIN that was sent along was given before.
            reply = reply[reply.index(READY) + 6 :]
        self._begun = False
        if self.pid == 0 and reply:
            self.pid = backend_pid(reply)
        return reply

    def deliver(self, reply: bytes) -> None:
        """Give the answer to asyncpg."""
        self.call = None
        self._protocol.data_received(reply)

    def _end(self, error: Exception | None) -> None:
        if self.closed:
            return
        self.closed = True
        self.call = None
        self._socket.close()
        self._wire.forget(self)
        self._loop.call_soon(self._protocol.connection_lost, error)


def _failing(call: _Call) -> _Call:
    """What makes PostgreSQL answer a call with a serialization failure; a COMMIT rolls back."""
    return _Call(ROLLBACK if call.data[5:11] == b"COMMIT" else RAISE, 1)
