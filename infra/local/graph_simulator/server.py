"""The HTTP server around the simulator, and the simulator as one object for tests."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from infra.local.graph_simulator.behaviour.counters import Counters
from infra.local.graph_simulator.behaviour.faults import Faults, Hit
from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.control.admin import Admin
from infra.local.graph_simulator.entra.identity import Identity
from infra.local.graph_simulator.entra.sign_in import SignIn, preflight, readable_by_pages
from infra.local.graph_simulator.graph.batch import Batch, parse_json
from infra.local.graph_simulator.graph.calls import Answer, Call, Caller
from infra.local.graph_simulator.graph.query import split_target
from infra.local.graph_simulator.graph.service import Exchange, Service, names_of, sleep_until
from infra.local.graph_simulator.state.persistence import Store
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import GraphError

_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_WRITES = ("POST", "PATCH", "PUT")
_TRANSPORT_LIMIT = 256 * 1024 * 1024


class GraphSimulator:
    """Microsoft Graph and Entra on 127.0.0.1.

    ``base_url`` has no version: Graph is at ``{base_url}/v1.0``. With ``state_file`` mailboxes, calendars,
    events, transactionIds and keys survive a restart and every kill: no answer tells of what is not in it.
    """

    def __init__(self, settings: Settings | None = None, state_file: Path | None = None) -> None:
        self.settings = settings or Settings()
        self.state = State()
        self.faults = Faults()
        self.counters = Counters()
        self.service = Service(self.state, self.settings, self.counters, self.faults)
        self.identity = Identity(self.settings, self.state, self.counters)
        self.sign_in = SignIn(self.identity, self.state)
        self.admin = Admin(self.service, self.identity)
        self._state_file = state_file
        self._store: Store | None = None
        self._runner: web.ServerRunner | None = None

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:N``, once started."""
        return self.identity.base_url

    async def start(self, port: int = 0) -> None:
        """Load the state file and listen; port 0 takes a free one. Raises ``OSError`` if it is taken."""
        if self._state_file is not None:
            store = Store(self._state_file, self.state, self.identity.keys)
            store.load()
            self._store = store
        server = web.Server(self._handle, request_factory=_make_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", port, backlog=512).start()
        except OSError:
            await self.stop()
            raise
        bound = self._runner.addresses[0][1]
        self.identity.base_url = f"http://127.0.0.1:{bound}"

    async def stop(self) -> None:
        """Stop listening and save."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._store is not None:
            await self._store.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(asyncio.get_running_loop().time())
        client_request_id = request.headers.get("client-request-id", "")
        exchange.client_request_id = client_request_id or exchange.request_id
        target = request.raw_path
        segments, query = split_target(target)
        raw = await request.read() if request.body_exists else b""
        if segments[:1] == ["_simulator"]:
            answer = self._admin(request.method, target, query, raw)
        elif segments[:1] == ["v1.0"]:
            answer = await self._graph(request, exchange, segments[1:], query, raw)
        else:
            answer = await self._entra(request, exchange, segments, query, raw)
        if exchange.waits:
            self.service.throttle.tell(exchange.waits)
        try:
            if self._store is not None:
                await self._store.settled()
        except sqlite3.Error:
            # Neither done nor refused: the client has to find out, as with any server that breaks.
            answer = Answer(503, {"error": {"code": "ErrorInternalServerError", "message": "Not saved."}})
        return await _respond(request, exchange, answer)

    def _admin(self, method: str, target: str, query: str, raw: bytes) -> Answer:
        parsed: Any = None
        if raw[:1] in (b"{", b"["):
            try:
                parsed = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                return Answer(400, {"error": {"code": "BadInput", "message": f"malformed JSON: {error}"}})
        return self.admin.answer(method, target, dict(parse_qsl(query)), raw, parsed)

    async def _graph(
        self, request: web.BaseRequest, exchange: Exchange, segments: list[str], query: str, raw: bytes
    ) -> Answer:
        path = request.raw_path.partition("?")[0]
        path = "/" + path.replace("//", "/").removeprefix("/v1.0").lstrip("/")
        base = f"http://{request.headers.get('Host', '127.0.0.1')}/v1.0"
        call = Call(request.method, path, segments, query, request.headers, base, Caller(""))
        is_batch = segments == ["$batch"]
        counted = False
        try:
            call.caller = self.identity.caller(request.headers.get("Authorization"))
            self._read_body(request, call, raw)
            if is_batch:
                return await self._batch(call, exchange)
            self.service.routes.locate(call)
            self.counters.round_trip({call.mailbox.address} if call.mailbox else set(), batch=False)
            counted = True
            return (await self.service.serve(call, exchange, exchange.arrived)).answer or Answer(503)
        except GraphError as error:
            if not counted and not is_batch:
                self.counters.round_trip(set(), batch=False)
            return self.service.failure(error, call, exchange)

    def _read_body(self, request: web.BaseRequest, call: Call, raw: bytes) -> None:
        if not raw:
            return
        if len(raw) > self.settings.max_body_bytes:
            raise GraphError(413, "RequestEntityTooLarge", "The request body is too large.")
        if "json" not in request.headers.get("Content-Type", ""):
            raise GraphError(415, "UnsupportedMediaType", "A JSON content type is required.")
        call.payload = parse_json(raw)
        call.size = len(raw) if request.method in _WRITES else 0

    async def _batch(self, call: Call, exchange: Exchange) -> Answer:
        service = self.service
        try:
            if call.method != "POST":
                raise GraphError(405, "Request_BadRequest", "$batch is posted.")
            batch = Batch(call, service)
        except GraphError:
            self.counters.round_trip(set(), batch=True)
            raise
        boxes = {sub.mailbox.oid: sub.mailbox for sub in batch.calls.values() if sub.mailbox}
        self.counters.round_trip({mailbox.address for mailbox in boxes.values()}, batch=True)
        names = frozenset().union(*(names_of(mailbox) for mailbox in boxes.values()))
        hit = self.faults.strike("POST", call.path, in_batch=False, names=names)
        if hit is not None and not await self._proceeds(hit, exchange):
            for mailbox in boxes.values() if hit.error else ():
                if hit.error is not None and "Retry-After" in hit.error.headers:
                    exchange.waits.append((mailbox.address, float(hit.error.headers["Retry-After"])))
            return service.failure(hit.error, call, exchange) if hit.error else Answer(503)
        answer = await batch.run(exchange)
        if hit is not None and (hit.lost_answer or hit.drop_after):
            exchange.close = "lost" if hit.lost_answer else "cut"
        return answer

    async def _proceeds(self, hit: Hit, exchange: Exchange) -> bool:
        """Apply what strikes before the effect. Returns whether the request proceeds."""
        if hit.delay_seconds:
            await sleep_until(exchange.arrived + hit.delay_seconds)
        if hit.drop_before:
            exchange.close = "lost"
        return hit.error is None and not hit.drop_before

    async def _entra(
        self, request: web.BaseRequest, exchange: Exchange, segments: list[str], query: str, raw: bytes
    ) -> Answer:
        method = request.method
        hit = self.faults.strike(method, request.raw_path, in_batch=False, names=frozenset())
        if hit is not None:
            if not await self._proceeds(hit, exchange):
                error = hit.error
                return (
                    Answer(error.status, error.body(exchange.request_id, ""), error.headers)
                    if error
                    else Answer(503)
                )
            exchange.close = "lost" if hit.lost_answer else "cut" if hit.drop_after else ""
        identity = self.identity
        match (method, *segments):
            case ("GET", "msi", "token"):
                return identity.managed_identity(
                    dict(parse_qsl(query)), request.headers.get("X-IDENTITY-HEADER")
                )
            case ("GET", tenant, "v2.0", ".well-known", "openid-configuration"):
                return identity.metadata(tenant, "2.0")
            case ("GET", tenant, ".well-known", "openid-configuration"):
                return identity.metadata(tenant, "1.0")
            case ("GET", tenant, "discovery", "v2.0", "keys") | ("GET", tenant, "discovery", "keys"):
                return identity.jwks(tenant)
            case ("GET", tenant, "oauth2", "v2.0", "authorize"):
                return self.sign_in.authorize(tenant, dict(parse_qsl(query)))
            case ("OPTIONS", _, "oauth2", "v2.0", "token"):
                return preflight(request.headers.get("Origin"))
            case ("POST", tenant, "oauth2", "v2.0", "token"):
                form = dict(parse_qsl(raw.decode("utf-8", "replace")))
                if form.get("grant_type") != "authorization_code":
                    return identity.token_endpoint(tenant, form)
                return readable_by_pages(self.sign_in.token(tenant, form), request.headers.get("Origin"))
        return Answer(404, {"error": {"code": "NotFound", "message": f"Nothing at {request.raw_path}."}})


def _make_request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: "asyncio.Task[None]"
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_TRANSPORT_LIMIT)


async def _respond(request: web.BaseRequest, exchange: Exchange, answer: Answer) -> web.StreamResponse:
    headers = {
        "request-id": exchange.request_id,
        "client-request-id": exchange.client_request_id,
        **answer.headers,
    }
    if isinstance(answer.body, str):
        return web.Response(status=answer.status, text=answer.body, content_type="text/html", headers=headers)
    body = None if answer.body is None else orjson.dumps(answer.body)
    transport = request.transport
    if exchange.close and transport is not None:
        if exchange.close == "cut" and body:
            cut = web.StreamResponse(status=answer.status, headers={**headers, "Content-Type": _JSON})
            cut.content_length = len(body)
            await cut.prepare(request)
            await cut.write(body[: len(body) // 2])
        transport.close()
        return web.Response(status=503)
    if body is not None:
        headers["Content-Type"] = _JSON
    return web.Response(status=answer.status, body=body, headers=headers)
