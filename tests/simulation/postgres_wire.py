"""The wire to PostgreSQL: a call is answered while nothing else runs, or breaks as the seed says.

Calls are answered in the order in which they were made. One that waits for a row lock is put aside until
another one has been answered, as PostgreSQL would let it wait.
"""

import asyncio
import os
import random
import signal
import time
from collections import deque
from typing import TYPE_CHECKING

from tests.simulation.backends import Backends
from tests.simulation.database_faults import Break, DatabaseFaults
from tests.simulation.fault_sites import FaultSites
from tests.simulation.mishaps import Mishap
from tests.simulation.postgres_protocol import RAISE, READY, ROLLBACK, SERIALIZATION_FAILURE
from tests.simulation.prober import Prober, Stalled
from tests.simulation.server_clock import start_uuids
from tests.simulation.trace import Trace
from tests.simulation.wire_transport import WireCall, WireTransport

if TYPE_CHECKING:
    from tests.simulation.virtual_loop import VirtualLoop

# How long an answer that may be waiting for a lock is waited for before that is asked again.
_PATIENCE_SECONDS = 0.004
_LONGEST_SECONDS = 120.0


class PostgresWire:
    """All connections of one simulated world to one PostgreSQL server."""

    def __init__(self, prober: Prober, backends: Backends) -> None:
        self._prober = prober
        self.backends = backends
        self._pending: deque[WireTransport] = deque()
        self._blocked: list[WireTransport] = []
        self._open: list[WireTransport] = []
        self._dead: set[str] = set()
        self.faults = DatabaseFaults(random.Random(0), 0.0)
        self.trace = Trace()
        self.sites = FaultSites()
        #: Loop time until which the restarted server refuses connections of processes.
        self._refuses_until = 0.0
        self.calls = 0
        self._restarts = 0

    def connect(self, loop: "VirtualLoop", protocol: asyncio.Protocol) -> WireTransport:
        """A new connection; its startup is the first call."""
        transport = WireTransport(self, loop, protocol)
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

    def of(self, label: str) -> list[WireTransport]:
        """The open connections of one process."""
        return [transport for transport in self._open if transport.label == label]

    def kill(self, label: str, *, calls_arrive: bool) -> None:
        """A process dies: its connections are gone at once, its open calls have an effect or none."""
        self._dead.add(label)
        self.trace.add("process died", label)
        self._wake()
        for transport in self.of(label):
            call = transport.call
            if call is not None and calls_arrive and transport not in self._blocked:
                self._carry_out(transport, call)
            transport.lose()

    def enqueue(self, transport: WireTransport) -> None:
        """A connection has a call to be answered."""
        self._pending.append(transport)

    def forget(self, transport: WireTransport) -> None:
        """A connection is closed."""
        if transport in self._open:
            self._open.remove(transport)
        if transport in self._blocked:
            self._release(transport)
            self._prober.terminate(transport.pid)
            self._prober.wait_gone(transport.pid)
            transport.discard()
        if transport.backend is not None:
            self.backends.give_back(transport.backend)
            transport.backend = None

    def close(self) -> None:
        """Give up whatever is still open."""
        for transport in list(self._open):
            transport.lose()

    def _answer(self, transport: WireTransport) -> None:
        call = transport.call
        assert call is not None
        if transport.label in self._dead:
            transport.lose()
            return
        self.calls += 1
        place = self._pass(transport, call)
        verdict = self.faults.strike(transport.label, call.data, place)
        self.trace.add("call", transport.label, verdict or "", *transport.told(call))
        if transport.closed:
            self.sites.strike(place, Mishap.CRASH_AT_CALL)
            return
        # Not every call can fail so.
        fails = call.data[:1] == b"B" or call.data[5:11] == b"COMMIT"
        if verdict is Break.SERIALIZATION and not fails:
            verdict = None
        if verdict is not None:
            self.sites.strike(place, verdict)
        if verdict in (Break.RESTART_BEFORE, Break.RESTART_AFTER):
            self._restart(transport, call if verdict is Break.RESTART_AFTER else None)
            return
        startup = call.data[:1] == b"\0"
        if verdict is Break.BEFORE or (startup and (verdict is Break.AFTER or self._refuses(transport))):
            transport.lose()
            return
        if verdict is Break.SERIALIZATION:
            call = _failing(call)
        if verdict is None and (shortcut := transport.shortcut(call)) is not None:
            transport.deliver(shortcut)
            return
        transport.send(call)
        self._receive(transport, call, verdict)
        # A call that waited for a lock of the transaction that just ended continues before any other.
        while self._blocked and self._answer_unblocked():
            pass

    def _pass(self, transport: WireTransport, call: WireCall) -> str:
        """The kind of a call; those of processes are counted, since faults strike no other."""
        place = f"database: {transport.place(call)}"
        if transport.label.startswith("host"):
            self.sites.passed[place] += 1
        return place

    def _refuses(self, transport: WireTransport) -> bool:
        return transport.label.startswith("host") and transport.loop.time() < self._refuses_until

    def _restart(self, transport: WireTransport, effect: WireCall | None) -> None:
        """The server crashes, recovers and is back when this returns; all connections are gone."""
        self._wake()
        if effect is not None:
            self._carry_out(transport, effect)
        self._refuses_until = transport.loop.time() + self.faults.downtime()
        for each in list(self._blocked):
            self._release(each)
        self._prober.restart_server()
        self._restarts += 1
        # What the log lets the sequence continue with depends on when it was written.
        self._prober.query(start_uuids(self._restarts * 10**9))
        self.backends.close()
        for each in list(self._open):
            each.discard()
            each.lose()

    def _receive(self, transport: WireTransport, call: WireCall, verdict: Break | None) -> None:
        reply = self._await_reply(transport, call)
        if reply is None:
            # If several wait for one transaction, the system would choose which continues first.
            os.kill(transport.pid, signal.SIGSTOP)
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
                self._release(transport)
                call = transport.call
                assert call is not None
                self._receive(transport, call, None)
                if transport not in self._blocked:
                    return True
        if self._blocked and self._prober.deadlocked([transport.pid for transport in self._blocked]):
            raise Stalled("transactions wait for each other's locks: a deadlock in the database")
        return False

    def _carry_out(self, transport: WireTransport, call: WireCall) -> None:
        """A call has its effect though nobody reads the answer; one that waits for a lock has none."""
        if transport.shortcut(call) is not None:
            return
        transport.send(call)
        if self._await_reply(transport, call) is None:
            # It is ended with its connection, as one that waited before.
            self._blocked.append(transport)

    def _wake(self) -> None:
        """Let all that wait for locks continue, because a call that is exchanged at once may need theirs."""
        for each in self._blocked:
            os.kill(each.pid, signal.SIGCONT)

    def _release(self, transport: WireTransport) -> None:
        """Let the backend of a blocked connection continue."""
        self._blocked.remove(transport)
        os.kill(transport.pid, signal.SIGCONT)

    def _await_reply(self, transport: WireTransport, call: WireCall) -> bytes | None:
        began = time.perf_counter()
        patience = 0.0
        while not transport.receive(call, patience):
            if self._prober.blocked(transport.pid):
                return None
            patience = min(max(2 * patience, _PATIENCE_SECONDS), 0.1)
            if time.perf_counter() - began > _LONGEST_SECONDS:
                raise Stalled(f"PostgreSQL does not answer {call.data[:200]!r}")
        return transport.take_reply(call)


def _failing(call: WireCall) -> WireCall:
    """What makes PostgreSQL answer a call with a serialization failure; a COMMIT rolls back."""
    return WireCall(ROLLBACK if call.data[5:11] == b"COMMIT" else RAISE, 1)
