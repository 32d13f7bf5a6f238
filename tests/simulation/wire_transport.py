"""One simulated connection to PostgreSQL as asyncpg sees it, and the calls that need no server."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.backends import Backend, Prepared, ServerGone, greet, renamed, timeless
from tests.simulation.fault_sites import statement_place
from tests.simulation.postgres_protocol import (
    BEGINS,
    BEGUN,
    CANCEL_REQUEST,
    CLOSED,
    COMMIT,
    COMMITTED,
    PING,
    PONG,
    READY,
    ROLL_BACK,
    ROLLED_BACK,
    application_of,
    complete,
    executed_once,
    messages,
    only_reads,
    parsed_of,
    replies_of,
    said_in,
    simple_query,
    statements_of,
)
from tests.simulation.server_clock import tell

if TYPE_CHECKING:
    from tests.simulation.postgres_wire import PostgresWire
    from tests.simulation.virtual_loop import VirtualLoop

_ABORTED, _IDLE = ord("E"), ord("I")


@dataclass(eq=False, slots=True)
class WireCall:
    """What asyncpg sent and waits to be answered; ``replies``: how often the server says that it is ready."""

    data: bytes
    replies: int


class WireTransport(asyncio.Transport):
    """One connection. It borrows a backend at its startup and returns it at its end.

    Things that make no difference to the server are not sent:
    - BEGIN before the transaction's first statement,
    - COMMIT of a read-only one before the next,
    - a statement that the backend has prepared,
    - the ping of the pool.
    """

    def __init__(self, wire: "PostgresWire", loop: "VirtualLoop", protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._wire = wire
        self.loop = loop
        self._protocol = protocol
        self._greeted = False
        self._reply = bytearray()
        self._prefixed = False
        self._begin_held = False
        self._begun_at = 0.0
        self._commit_held = False
        self._wrote = False
        self._texts: dict[bytes, bytes] = {}
        self._names: dict[bytes, bytes] = {}
        self.backend: Backend | None = None
        self.closed = False
        self.call: WireCall | None = None
        self.label = ""

    @property
    def pid(self) -> int:
        """The backend's process, 0 before it is greeted."""
        return self.backend.pid if self.backend else 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Only the socket is known."""
        return self.backend.socket if name == "socket" and self.backend else default

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
            self._greet(raw)
        elif raw[:1] == b"X":
            return
        elif self.call is not None:
            self.call.data += raw
            self.call.replies += replies_of(raw)
        else:
            self.call = WireCall(raw, replies_of(raw))
            self._wire.enqueue(self)

    def writelines(self, list_of_data: Any) -> None:
        """Queue one call of several parts."""
        self.write(b"".join(bytes(part) for part in list_of_data))

    def close(self) -> None:
        """Close the connection; its transaction is rolled back when this returns."""
        self._end(None)

    def abort(self) -> None:
        """Close the connection."""
        self._end(None)

    def lose(self) -> None:
        """The connection breaks."""
        self._end(ConnectionResetError("the connection to the database broke"))

    def shortcut(self, call: WireCall) -> bytes | None:
        """The answer to a call that needs no server, or None."""
        if self.backend is None:
            # A startup: whether there is a greeting decides whether the server is asked.
            self.backend = self._wire.backends.borrow(call.data)
            return self.backend.greeting or None
        match call.data[:1]:
            case b"Q" if call.data == PING and self._status == _IDLE:
                return PONG
            case b"Q":
                return self._end_of_transaction(call.data)
            case b"P" if not self._aborted:
                return self._known(call.data)
            case b"C":
                return CLOSED + READY + bytes([self._status])
        return None

    @property
    def _status(self) -> int:
        """The transaction's state as asyncpg knows it."""
        if self._begin_held:
            return ord("T")
        return ord("I") if self._commit_held or self.backend is None else self.backend.status

    @property
    def _aborted(self) -> bool:
        return self._status == _ABORTED

    def _end_of_transaction(self, query: bytes) -> bytes | None:
        if query in BEGINS:
            self._begin_held, self._wrote = True, False
            self._begun_at = self.loop.time()
            return BEGUN
        if query not in (COMMIT, ROLL_BACK):
            return None
        if not self._begin_held and (self._wrote or self._aborted):
            return None
        # It only read: its locks hinder nobody, so the server may learn of its end with the next call.
        self._commit_held |= not self._begin_held
        self._begin_held = False
        return COMMITTED if query == COMMIT else ROLLED_BACK

    def _known(self, call: bytes) -> bytes | None:
        assert self.backend is not None
        name, text = parsed_of(call)
        prepared = self.backend.statements.get(text)
        if prepared is None:
            return None
        self._texts[name], self._names[name] = text, prepared.name
        return prepared.answer

    def _name(self, call: bytes) -> None:
        """Note the statement of a call that parses it at the server, even one that it has already.

        In an aborted transaction a known one is parsed again: the server refuses it, unless it ends the
        transaction or goes back to a savepoint. Then its former name would be refused as a duplicate.
        """
        assert self.backend is not None
        name, text = parsed_of(call)
        self._texts[name], self._names[name] = text, self.backend.new_name()

    def send(self, call: WireCall) -> None:
        """Send a call to the server, and before it what was held back."""
        assert self.backend is not None
        data = call.data
        prefix = b""
        if self.backend.greeting:
            if data[:1] == b"P":
                self._name(data)
            prefix = self._prefix()
            if data[:1] in b"PBD":
                data = renamed(data, self._names)
            self._wrote |= not self._harmless(call.data)
        else:
            data = timeless(data)
        self._prefixed = bool(prefix)
        try:
            self.backend.socket.sendall(prefix + data)
        except OSError:
            self._reply.clear()

    def _prefix(self) -> bytes:
        held = b"COMMIT;" if self._commit_held else b""
        if self._begin_held:
            held += b"BEGIN;" + tell(self._begun_at)
        self._commit_held = self._begin_held = False
        return simple_query(held) if held else b""

    def _harmless(self, data: bytes) -> bool:
        """Whether a call changes and locks nothing."""
        match data[:1]:
            case b"P":
                return True
            case b"B":
                return all(only_reads(self._texts.get(name, b"")) for name in statements_of(data))
        return False

    def receive(self, call: WireCall, patience: float) -> bool:
        """Read until the answer is complete or nothing came for 4 ms and ``patience`` real seconds."""
        assert self.backend is not None
        replies = call.replies + self._prefixed if call.replies else 0
        while not complete(self._reply, replies):
            try:
                part = self.backend.read(patience)
            except (OSError, ServerGone):
                self._reply.clear()
                return True
            if part is None:
                return False
            self._reply += part
        return True

    def take_reply(self, call: WireCall) -> bytes:
        """The complete answer; empty if the server ended the connection."""
        assert self.backend is not None
        reply = bytes(self._reply)
        self._reply.clear()
        if self._prefixed and reply:
            # The answer to what was sent along was given before.
            status_at = reply.index(READY) + 5
            self.backend.status = reply[status_at]
            reply = reply[status_at + 1 :]
        self._prefixed = False
        if not self.backend.greeting:
            greet(self.backend, reply)
        elif reply[-6:-1] == READY:
            self.backend.status = reply[-1]
            self.backend.synchronised = True
        elif call.data[:1] == b"P":
            self.backend.synchronised = False
        if call.data[:1] == b"P" and reply[:1] == b"1":
            name, text = parsed_of(call.data)
            # One that was cancelled has a Sync behind it, whose answer is no part of the description.
            self.backend.statements[text] = Prepared(self._names[name], reply.partition(READY)[0])
        if not reply:
            self.discard()
        return reply

    def place(self, call: WireCall) -> str:
        """The kind of a call, for counting what faults struck."""
        data = call.data
        if not self._greeted or data[:1] == b"\0":
            return "startup"
        match data[:1]:
            case b"Q" if data == PING:
                return "ping"
            case b"Q":
                return data[5:].split(b";")[0].split(b"\0")[0].split()[0].decode().lower()
            case b"B":
                text = self._texts.get(statements_of(data)[0], b"")
                return statement_place(text)
            case b"P":
                return "parse a statement"
            case b"C":
                return "close a statement"
        return "other"

    def told(self, call: WireCall) -> list[bytes]:
        """What a call says, the same in every run: its statements by their text."""
        if not self._greeted or call.data[:1] == b"\0":
            return [b"startup"]
        if name := executed_once(call.data):
            return [b"B", self._texts.get(name, b""), call.data[6 + len(name) :]]
        if call.data[:1] == b"Q":
            return [call.data]
        texts, told = dict(self._texts), []
        for kind, body in messages(call.data):
            match kind:
                case b"P":
                    name, text, _ = body.split(b"\0", 2)
                    texts[name] = text
                    told.append(kind + text)
                case b"B":
                    _, name, given = body.split(b"\0", 2)
                    told.append(kind + texts.get(name, b"") + b"\0" + given)
                case b"D" | b"C":
                    told.append(kind + texts.get(body[1:-1], b""))
                case _:
                    told.append(kind + body)
        return told

    def deliver(self, reply: bytes) -> None:
        """Give the answer to asyncpg."""
        self._wire.trace.add("answer", self.label, *said_in(reply))
        self.call = None
        self._protocol.data_received(reply)

    def discard(self) -> None:
        """The backend is not to be used again."""
        if self.backend is not None:
            self.backend.socket.close()
            self.backend = None

    def _greet(self, raw: bytes) -> None:
        self._greeted = True
        if raw[:8] == CANCEL_REQUEST:
            # Whether a cancellation arrives in time is a race: here it never does.
            self.close()
            return
        self.label = application_of(raw)
        self.call = WireCall(raw, 1)
        self._wire.enqueue(self)

    def _end(self, error: Exception | None) -> None:
        if self.closed:
            return
        self.closed = True
        self.call = None
        self._wire.forget(self)
        self.loop.call_soon(self._protocol.connection_lost, error)
