"""One request's way through faults, throttling, latency and its handler; the same for sub-requests."""

import asyncio
from dataclasses import dataclass, field
from uuid import uuid4

from infra.local.graph_simulator.behaviour.counters import Counters
from infra.local.graph_simulator.behaviour.faults import Faults, Hit
from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.behaviour.throttling import Throttle
from infra.local.graph_simulator.graph.calls import Answer, Call
from infra.local.graph_simulator.graph.events import EventStore
from infra.local.graph_simulator.graph.resources import Resources
from infra.local.graph_simulator.graph.routes import Routes
from infra.local.graph_simulator.state.model import Mailbox
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import GraphError, conflict

_WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


@dataclass(slots=True)
class Exchange:
    """One HTTP request at the wire: when it arrived and what becomes of its answer."""

    arrived: float
    request_id: str = field(default_factory=lambda: str(uuid4()))
    client_request_id: str = ""
    #: Close the connection: "lost" without an answer, "cut" in the middle of it.
    close: str = ""
    #: Mailboxes told to wait by this answer, in seconds.
    waits: list[tuple[str, float]] = field(default_factory=list)


@dataclass(slots=True)
class Served:
    """A handled request: its answer (``None``: it gets none) and the loop time at which it is due."""

    answer: Answer | None
    due: float


class Service:
    """Everything behind /v1.0 except HTTP itself."""

    def __init__(self, state: State, settings: Settings, counters: Counters, faults: Faults) -> None:
        self.state = state
        self.settings = settings
        self.counters = counters
        self.faults = faults
        self.throttle = Throttle(settings, counters)
        self.store = EventStore(state, settings, counters)
        self.resources = Resources(state, settings, self.store)
        self.routes = Routes(state, settings, self.resources)

    async def serve(self, call: Call, exchange: Exchange, starts: float) -> Served:
        """Handle one request that starts at a loop time and return when its latency has passed."""
        mailbox = call.mailbox
        address = mailbox.address if mailbox else None
        self.counters.request(address, write=call.method in _WRITES, in_batch=call.in_batch)
        if address is not None:
            self.throttle.arrived(address, exchange.arrived)
        hit = self.faults.strike(call.method, call.path, in_batch=call.in_batch, names=names_of(mailbox))
        try:
            if mailbox is not None:
                self.throttle.admit(call.caller.app, mailbox.address, call.size)
        except GraphError as error:
            return Served(self.failure(error, call, exchange), starts)
        due = starts + self.settings.latency_ms / 1000 + (hit.delay_seconds if hit else 0.0)
        try:
            answer = await self._answer(call, exchange, hit, due)
            await sleep_until(due)
        finally:
            if mailbox is not None:
                self.throttle.release(call.caller.app, mailbox.address)
        return Served(answer, due)

    def failure(self, error: GraphError, call: Call, exchange: Exchange) -> Answer:
        """The answer for a refusal; notes a Retry-After given to the call's mailbox."""
        wait = error.headers.get("Retry-After")
        if wait is not None and call.mailbox is not None:
            exchange.waits.append((call.mailbox.address, float(wait)))
        return Answer(
            error.status, error.body(exchange.request_id, exchange.client_request_id), dict(error.headers)
        )

    async def _answer(self, call: Call, exchange: Exchange, hit: Hit | None, due: float) -> Answer | None:
        if hit is not None:
            if hit.delay_seconds:
                await sleep_until(due - self.settings.latency_ms / 1000)
            if hit.drop_before:
                exchange.close = "lost"
                return None
            if hit.error is not None:
                return self.failure(hit.error, call, exchange)
            if call.method == "GET":
                call.stale_seconds, call.faults = hit.stale_seconds, hit.of_content
        try:
            answer = self._handle(call, due)
        except GraphError as error:
            answer = self.failure(error, call, exchange)
        if hit is None:
            return answer
        if hit.lost_answer:
            exchange.close = "lost"
        elif hit.drop_after and not exchange.close:
            exchange.close = "cut"
        return None if hit.missing else answer

    def _handle(self, call: Call, due: float) -> Answer:
        if call.method in ("PATCH", "DELETE"):
            self._claim(call, due)
        elif call.method == "POST" and call.mailbox is not None and call.segments[-1].lower() == "sendmail":
            self.throttle.admit_mail(call.caller.app, call.mailbox.address)
        return self.routes.handle(call)

    def _claim(self, call: Call, due: float) -> None:
        """Refuse a write of an event that another write in flight is changing."""
        if (
            not self.settings.overlapping_writes_conflict
            or call.mailbox is None
            or "events" not in call.segments
        ):
            return
        item = self.state.item(call.mailbox, call.segments[-1])
        event = item.master
        now = asyncio.get_running_loop().time()
        if event.writing_until > now:
            raise conflict(409)
        event.writing_until = due


def names_of(mailbox: Mailbox | None) -> frozenset[str]:
    """What fault rules may call a mailbox."""
    return frozenset((mailbox.address.casefold(), mailbox.oid.casefold())) if mailbox else frozenset()


async def sleep_until(due: float) -> None:
    """Sleep until a loop time; returns at once if it has passed."""
    loop = asyncio.get_running_loop()
    if due <= loop.time():
        return
    woken: asyncio.Future[None] = loop.create_future()
    handle = loop.call_at(due, _wake, woken)
    try:
        await woken
    finally:
        handle.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
