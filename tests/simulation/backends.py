"""Connections to the real server that outlive the simulated ones, as behind a connection pooler.

A new connection costs PostgreSQL milliseconds, and a statement that is new to it costs a parse and a plan.
The simulated connections of all seeds borrow these instead. A simulated connection sees no difference: its
transaction is rolled back when it ends, and its statements are its own by name.
"""

import select
import socket
import struct
from collections import defaultdict
from dataclasses import dataclass, field

from tests.simulation.postgres_protocol import (
    READY,
    ROLLBACK,
    SYNC,
    backend_pid,
    count_ready,
    executed_once,
    messages,
    simple_query,
)

_IDLE = ord("I")
_BUFFER = 1 << 18
# A call that takes this long may be waiting for a lock; asking costs more than waiting. A struct timeval.
_PATIENCE = struct.pack("@ll", 0, 4000)
_LONGEST_SECONDS = 120.0
_DISCARD_PLANS = simple_query(b"DISCARD PLANS")
# Real time says nothing in a world whose time is virtual; on a busy machine it would end what only waits.
_TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


class ServerGone(Exception):
    """The server ended the connection."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement the server knows: its name there, and the server's answer to Parse and Describe."""

    name: bytes
    answer: bytes


@dataclass(eq=False, slots=True)
class Backend:
    """One connection to the server and what it has prepared, by SQL text."""

    key: bytes
    socket: socket.socket
    greeting: bytes = b""
    pid: int = 0
    #: The server's idea of the transaction, as in ReadyForQuery.
    status: int = _IDLE
    #: False after a Parse without Sync: an error of it would make the server skip all up to the next.
    synchronised: bool = True
    statements: dict[bytes, Prepared] = field(default_factory=dict)
    _names: int = 0

    def new_name(self) -> bytes:
        """A statement's name that the server has never heard, whatever became of the ones before."""
        self._names += 1
        return b"s%d" % self._names

    def read(self, patience: float) -> bytes | None:
        """What the server says, None if nothing in 4 ms and ``patience`` seconds.

        Raises ServerGone or OSError.
        """
        try:
            part = self.socket.recv(_BUFFER)
        except BlockingIOError:
            readable, _, _ = select.select([self.socket], [], [], patience)
            if not readable:
                return None
            part = self.socket.recv(_BUFFER)
        if not part:
            raise ServerGone
        return part

    def reset(self) -> None:
        """Roll back what is open. Raises ServerGone or OSError."""
        if self.status == _IDLE and self.synchronised:
            return
        self.ask(SYNC + ROLLBACK, replies=2)
        self.status, self.synchronised = _IDLE, True

    def ask(self, call: bytes, *, replies: int = 1) -> None:
        """Send something whose answer does not matter. Raises ServerGone or OSError."""
        self.socket.sendall(call)
        answer = bytearray()
        while count_ready(answer) < replies:
            part = self.read(_LONGEST_SECONDS)
            if part is None:
                raise ServerGone
            answer += part


class Backends:
    """The idle connections of one process to one database."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: dict[bytes, list[Backend]] = defaultdict(list)

    def borrow(self, startup: bytes) -> Backend:
        """A connection for a startup: one that is idle, or a new one that is yet to be greeted."""
        key = _without_name(startup)
        if self._idle[key]:
            return self._idle[key].pop()
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(self._path)
        # The kernel itself gives up after a while: half the calls of asking first whether there is something.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        return Backend(key, server)

    def give_back(self, backend: Backend) -> None:
        """Keep a sound connection for the next user. Its transaction is rolled back now."""
        try:
            backend.reset()
        except (OSError, ServerGone):
            backend.socket.close()
            return
        self._idle[backend.key].append(backend)

    def forget_plans(self) -> None:
        """Let every idle connection plan again, because a plan depends on the size of tables when it was
        made.
        """
        for backends in self._idle.values():
            for backend in backends:
                backend.ask(_DISCARD_PLANS)

    def close(self) -> None:
        """Close all that are idle."""
        for backends in self._idle.values():
            for backend in backends:
                backend.socket.close()
        self._idle.clear()


def timeless(startup: bytes) -> bytes:
    """A startup whose time-outs, which the server would measure in real time, are off."""
    parts = startup[8:].split(b"\0")
    pairs = dict(zip(parts[::2], parts[1::2], strict=False))
    pairs.pop(b"", None)
    pairs |= {name.encode(): b"0" for name in _TIMEOUTS if name.encode() in pairs}
    told = b"".join(name + b"\0" + value + b"\0" for name, value in pairs.items()) + b"\0"
    return struct.pack("!I", 8 + len(told)) + startup[4:8] + told


def greet(backend: Backend, answer: bytes) -> None:
    """Remember the server's answer to the startup."""
    if answer[-6:-1] == READY:
        backend.greeting = answer
        backend.pid = backend_pid(answer)


def renamed(data: bytes, names: dict[bytes, bytes]) -> bytes:
    """A call with the names of its statements replaced by those that the server knows."""
    if name := executed_once(data):
        known = names.get(name, name)
        length = (int.from_bytes(data[1:5]) + len(known) - len(name)).to_bytes(4)
        return b"B" + length + b"\0" + known + data[6 + len(name) :]
    parts: list[bytes] = []
    for kind, body in messages(data):
        match kind:
            case b"P":
                name, rest = body.split(b"\0", 1)
                body = names[name] + b"\0" + rest
            case b"B":
                portal, name, rest = body.split(b"\0", 2)
                body = b"\0".join((portal, names.get(name, name), rest))
            case b"D" if body[:1] == b"S":
                name = body[1:-1]
                body = b"S" + names.get(name, name) + b"\0"
        parts.append(kind + (4 + len(body)).to_bytes(4, "big") + body)
    return b"".join(parts)


def _without_name(startup: bytes) -> bytes:
    """A startup without its ``application_name``: it matters to nothing but who looks at the server."""
    parts = startup[8:].split(b"\0")
    pairs = dict(zip(parts[::2], parts[1::2], strict=False))
    pairs.pop(b"application_name", None)
    return b"\0".join(name + b"=" + value for name, value in sorted(pairs.items()))
