"""Microsoft Graph of one simulated world: the simulator's state behind an in-process transport."""

import asyncio
import contextvars
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import orjson
from multidict import CIMultiDict

from infra.local.graph_simulator.behaviour.counters import Counters
from infra.local.graph_simulator.behaviour.faults import Hit
from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.batch import Batch, parse_json
from infra.local.graph_simulator.graph.calls import Answer, Call, Caller
from infra.local.graph_simulator.graph.query import split_target
from infra.local.graph_simulator.graph.resources import Resources
from infra.local.graph_simulator.graph.service import Exchange, Service
from infra.local.graph_simulator.loading.mailboxes import Loader
from infra.local.graph_simulator.values.errors import GraphError
from tests.simulation.fault_sites import BATCH, graph_place
from tests.simulation.graph_faults import GraphFaults, Kind, Outer
from tests.simulation.graph_past import RememberingState
from tests.simulation.trace import Trace

BASE_URL = "https://graph.microsoft.com/v1.0"
_PERMISSIONS = frozenset({"Calendars.ReadWrite", "User.Read.All"})
_CONNECTION_KEY: Any = type(
    "ConnectionKey", (), {"host": "graph", "port": 443, "ssl": True, "is_ssl": True}
)()


@dataclass(slots=True)
class Request:
    """One HTTP request of ours as it left the process ``host``."""

    host: str
    mailbox: str
    slots: int
    parts: int
    writes: int
    started: float


class FaultyService(Service):
    """The simulator's service with the faults that rules cannot express."""

    faults: GraphFaults
    past: RememberingState

    def _handle(self, call: Call, due: float) -> Answer:
        seconds, call.stale_seconds = call.stale_seconds, 0.0
        if not seconds or call.mailbox is None:
            return super()._handle(call, due)
        self.faults.count(Kind.STALE, graph_place(call.method, call.path, in_batch=call.in_batch))
        with self.past.seconds_ago(call.mailbox, seconds):
            return super()._handle(call, due)

    async def _answer(self, call: Call, exchange: Exchange, hit: Hit | None, due: float) -> Answer | None:
        inner = self.faults.take_inner()
        if inner is None:
            return await super()._answer(call, exchange, hit, due)
        if inner.missing_before:
            return None
        if inner.delayed_seconds is not None and inner.error_after is not None:
            asyncio.get_running_loop().call_later(inner.delayed_seconds, self._later, call)
            return self.failure(inner.error_after, call, exchange)
        answer = await super()._answer(call, exchange, hit, due)
        return answer if inner.error_after is None else self.failure(inner.error_after, call, exchange)

    def _later(self, call: Call) -> None:
        try:
            self.routes.handle(call)
        except GraphError:
            return


class GraphWorld:
    """The service's side: state, faults, counters, and who was told to wait."""

    def __init__(self, rng: random.Random, faults: GraphFaults) -> None:
        self.rng = rng
        self.faults = faults
        self.settings = Settings(
            concurrency=None,
            duplicate_transaction=rng.choice(("409", "400", "201_existing")),
            existing_event_id_included=rng.random() < 0.7,
            ical_uid_per_occurrence=rng.random() < 0.5,
            page_size_max=rng.choice((1000, 1000, 15, 6)),
        )
        self.state = RememberingState()
        self.counters = Counters()
        self.service = FaultyService(self.state, self.settings, self.counters, faults)
        self.service.past = self.state
        self.service.resources = Resources(self.state, self.settings, self.service.store)
        self.loader = Loader(self.state, self.settings)
        self.server_context = contextvars.copy_context()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.in_flight: list[Request] = []
        self.abandoned: list[Request] = []
        self.write_batches: dict[str, list[Request]] = {}
        self.trace = Trace()
        self.watch: Callable[[Request], None] = lambda request: None
        self.on_page: Callable[[str, list[dict[str, Any]]], None] = lambda host, items: None

    def call_of(self, request: httpx.Request, content: bytes) -> tuple[Call, list[str]]:
        """The simulator's form of a request."""
        target = request.url.raw_path.decode("ascii")
        segments, query = split_target(target)
        path = "/" + target.partition("?")[0].removeprefix("/v1.0").lstrip("/")
        caller = Caller("app", None, _PERMISSIONS)
        call = Call(
            request.method, path, segments[1:], query, CIMultiDict(request.headers.items()), BASE_URL, caller
        )
        if content:
            call.payload = parse_json(content)
            call.size = len(content) if request.method in ("POST", "PATCH") else 0
        return call, segments[1:]

    async def answer(self, call: Call, batch: Batch | None, exchange: Exchange, outer: Outer) -> Answer:
        """Let the service work on a request."""
        try:
            if outer is Outer.THROTTLED:
                raise self.faults.throttling(_place_of(call, batch))
            if outer is Outer.ERROR_BEFORE:
                raise self.faults.error()
            if batch is not None:
                answer = await batch.run(exchange)
            else:
                served = await self.service.serve(call, exchange, exchange.arrived)
                answer = served.answer or Answer(503)
            if outer is Outer.ERROR_AFTER:
                # The answers inside the batch, and what they asked for, are lost.
                exchange.waits.clear()
                raise self.faults.error()
        except GraphError as error:
            return self.service.failure(error, call, exchange)
        return answer

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Work of the service. It continues whatever happens to the client."""
        task = asyncio.get_running_loop().create_task(work, context=self.server_context.copy())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def _place_of(call: Call, batch: Batch | None) -> str:
    return graph_place(call.method, call.path, in_batch=False) if batch is None else BATCH


class GraphTransport(httpx.AsyncBaseTransport):
    """How one process reaches Graph."""

    def __init__(self, world: GraphWorld, host: str, told: Callable[[str, float], None]) -> None:
        self._world = world
        self._host = host
        self._told = told
        self.dead = False
        #: When (loop time) work of this process was last cancelled.
        self.cancelled_at = -1.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request and its answer, or what httpx raises instead."""
        if self.dead:
            raise httpx.ReadError("the process is dead")
        world = self._world
        loop = asyncio.get_running_loop()
        content = await request.aread()
        call, segments = world.call_of(request, content)
        batch = Batch(call, world.service) if segments == ["$batch"] else None
        if batch is None:
            world.service.routes.locate(call)
        sent = self._request(call, batch, loop.time())
        world.watch(sent)
        outer = world.faults.outer(_place_of(call, batch))
        target = request.url.raw_path
        world.trace.add("request", self._host, outer.name, request.method, target, content)
        if outer is Outer.NEVER_SENT:
            error = aiohttp.ClientConnectorError(_CONNECTION_KEY, OSError("refused"))
            raise httpx.ConnectError("refused") from error
        world.in_flight.append(sent)
        try:
            answer, exchange = await self._exchange(call, batch, outer)
        except asyncio.CancelledError:
            # Cancelled from outside, not timed out. The service may still work on it.
            if self.cancelled_at == loop.time():
                world.abandoned.append(sent)
            raise
        finally:
            if not self.dead:
                world.in_flight.remove(sent)
        return self._deliver(request, call, batch, answer, exchange)

    def _request(self, call: Call, batch: Batch | None, now: float) -> Request:
        calls = list(batch.calls.values()) if batch is not None else [call]
        mailboxes = {each.mailbox.oid for each in calls if each.mailbox is not None}
        assert len(mailboxes) == 1, f"one request for the mailboxes {sorted(mailboxes)}"
        writes = sum(each.method in ("POST", "PATCH", "DELETE") for each in calls)
        return Request(self._host, mailboxes.pop(), min(4, len(calls)), len(calls), writes, now)

    async def _exchange(self, call: Call, batch: Batch | None, outer: Outer) -> tuple[Answer, Exchange]:
        world, loop = self._world, asyncio.get_running_loop()
        await asyncio.sleep(world.rng.uniform(0.001, 0.02))
        exchange = Exchange(loop.time(), request_id="-", client_request_id="-")
        if outer is Outer.RESET_BEFORE:
            raise httpx.ReadError("reset")
        if outer is Outer.HANGS_BEFORE:
            await asyncio.sleep(3600)
        if outer is Outer.DELAYED:
            world.spawn(self._delayed(call, batch, exchange))
            raise httpx.ReadError("reset")
        work = world.spawn(world.answer(call, batch, exchange, outer))
        answer = await asyncio.shield(work)
        await asyncio.sleep(world.rng.uniform(0.001, 0.02))
        if outer is Outer.RESET_AFTER:
            raise httpx.ReadError("reset")
        if outer is Outer.HANGS_AFTER:
            await asyncio.sleep(3600)
        return answer, exchange

    async def _delayed(self, call: Call, batch: Batch | None, exchange: Exchange) -> None:
        await asyncio.sleep(self._world.faults.delay())
        for each in batch.calls.values() if batch is not None else (call,):
            try:
                self._world.service.routes.handle(each)
            except GraphError:
                continue

    def _deliver(
        self, request: httpx.Request, call: Call, batch: Batch | None, answer: Answer, exchange: Exchange
    ) -> httpx.Response:
        waits = [seconds for _, seconds in exchange.waits]
        outer_wait = answer.headers.get("Retry-After")
        if outer_wait is not None:
            waits.append(float(outer_wait))
        mailbox = call.mailbox
        if batch is not None:
            mailbox = next(iter(batch.calls.values())).mailbox
        if waits and mailbox is not None:
            self._told(mailbox.oid, max(waits))
        if answer.status == 200 and "calendarview" in call.path.lower():
            self._world.on_page(self._host, answer.body["value"])
        body = b"" if answer.body is None else orjson.dumps(answer.body)
        headers = {"content-type": "application/json", **answer.headers}
        self._world.trace.add("response", self._host, str(answer.status), body)
        return httpx.Response(answer.status, headers=headers, content=body, request=request)
