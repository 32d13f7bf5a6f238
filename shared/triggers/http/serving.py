"""Serves one request of an operation: caller, input, and the change or read. It always answers."""

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from azure.functions import HttpRequest, HttpResponse

from shared.errors import Unavailable
from shared.schemas import base, rendered
from shared.telemetry import ActingFor, bind, span
from shared.triggers.http import problem
from shared.triggers.http.authentication import Authenticated, authenticate, authorise
from shared.triggers.http.conditions import read_idempotency_key, read_if_match
from shared.triggers.http.exchange import Exchange
from shared.triggers.http.list_cursors import ListIdentity
from shared.triggers.http.messages import Reply, Request
from shared.triggers.http.parsing import is_id, query_of, raw_body, read_body, read_path, read_query
from shared.triggers.http.registry import LAST, PREFIX, GraphAccess, Operation, meant_by

if TYPE_CHECKING:
    from shared.application import Application
    from shared.domain.identity.caller import Caller, SignedIn
    from shared.errors import AdminAssistantError
    from shared.services.operation.idempotency import KeptAnswer

_LOG = logging.getLogger(__name__)
#: Set on a repeated answer.
_REPLAYED: Final = "Idempotency-Replayed"
#: They answer without the database, too, and say that it is away.
_TELL_HEALTH: Final = frozenset({"get_system_health", "get_system_doctor"})


async def answer(operation: Operation, req: HttpRequest, client: Any) -> HttpResponse:
    """Serve one request. It always answers, except after a cancellation."""
    # The services are built at the first request, not when the worker indexes the app (cold start).
    from shared.application import get_application

    exchange, started = Exchange.of(req), time.perf_counter()
    operation = _meant(operation, req, exchange)
    with bind(correlation=exchange.correlation_id, ip=exchange.source_ip, trace=exchange.trace):
        origins: tuple[str, ...] = ()
        try:
            app = get_application()
            origins = app.foundations.settings.cors_origins
            async with _patience(operation, app):
                response = await _serve(operation, app, req, client, exchange)
        except Exception as error:
            response = _refuse(operation, error, exchange)
        given = {name.lower() for name, _ in response.headers.items()}
        for name, value in exchange.headers(origins).items():
            if name.lower() not in given:
                response.headers.add(name, value)
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        _LOG.info(
            "%s %s",
            operation.id,
            response.status_code,
            extra={"operation": operation.id, "status": response.status_code, "milliseconds": milliseconds},
        )
        return response


def _patience(operation: Operation, app: "Application") -> AbstractAsyncContextManager[None]:
    """A read ends where the database says nothing; a change waits, since what it did may count."""
    reads = operation.method == "GET" and operation.roles is not None and operation.id not in _TELL_HEALTH
    return app.foundations.database.silence.reading() if reads else nullcontext()


async def _serve(
    operation: Operation, app: "Application", req: HttpRequest, client: Any, exchange: Exchange
) -> HttpResponse:
    caller: Caller | None = None
    signed_in: SignedIn | None = None
    if operation.roles is not None:
        authenticated = await authenticate(req, app.people.tokens)
        caller = authenticated.caller
        signed_in = _signed_in(operation, authenticated)
    with bind(caller=caller, acting=ActingFor()), span(operation.id):
        if caller is not None and operation.roles is not None:
            app.people.rate_limit.admit(caller)
            # Whether the role suffices or not, it tells who is an Admin and who is none any more.
            if operation.id not in _TELL_HEALTH:
                await _note_role(app, caller)
            authorise(caller, operation.roles)
        path = _path(operation, req, exchange)
        query = read_query(query_of(req), operation.query or base.NoQuery)
        body = _body(operation, req, app.foundations.settings.max_body_bytes)
        listed = ListIdentity(exchange.path, query, body, caller)
        request = Request(
            app=app,
            path=path,
            relative_path=exchange.relative_path,
            query=listed.opened(query),
            body=listed.opened(body),
            listed=listed,
            expected=read_if_match(operation, req.headers),
            identity=caller,
            client=client,
            graph=operation.graph,
            accept=req.headers.get("Accept") or "",
            signed_in=signed_in,
            texts=_texts(operation, req, exchange),
        )
        key = read_idempotency_key(operation, req.headers)
        if key is not None and caller is not None:
            return await _once(operation, request, caller, key, req, exchange)
        reply = await operation.handler(request)
        response = _success(operation, reply, listed)
        await _afterwards(operation, reply.then)
        return response


async def _note_role(app: "Application", caller: "Caller") -> None:
    """End what depends on a role Admin that the caller no longer has (domain.md 6.5)."""
    if caller.app_only or not app.foundations.settings.database_url.get_secret_value():
        return
    try:
        await app.people.admin_sign_ins.note(caller)
    except Unavailable:
        # Without the database nothing is read either. The request itself reports it.
        _LOG.warning("the role of a caller was not noted")


def _meant(operation: Operation, req: HttpRequest, exchange: Exchange) -> Operation:
    """The operation that answers, also for a path that reaches the catch-all only by its ids.

    An id that is no UUID keeps the host from calling the operation. This way the caller still learns who may
    call it and which id is wrong.
    """
    if operation.id != LAST:
        return operation
    path = exchange.relative_path
    meant = meant_by(req.method, path)
    if meant is None or all(is_id(meant.arguments(path)[name]) for name in meant.parameters):
        return operation
    return meant


def _path(operation: Operation, req: HttpRequest, exchange: Exchange) -> dict[str, UUID]:
    """The ids of the path. Raises ValidationFailed (422) naming the invalid ones."""
    given = dict(req.route_params)
    if not given.keys() >= set(operation.parameters):
        given = operation.arguments(exchange.relative_path)
    return read_path(given, operation.parameters)


def _texts(operation: Operation, req: HttpRequest, exchange: Exchange) -> dict[str, str]:
    if not operation.texts:
        return {}
    given = {**operation.arguments(exchange.relative_path), **req.route_params}
    return {name: given[name] for name in operation.texts}


def _signed_in(operation: Operation, authenticated: Authenticated) -> "SignedIn | None":
    """The person for whom Graph is asked on their behalf; their token goes nowhere else."""
    caller = authenticated.caller
    if operation.graph is not GraphAccess.ON_BEHALF_OF or caller.app_only or caller.object_id is None:
        return None
    from shared.domain.identity.caller import SignedIn

    return SignedIn(caller.tenant_id, caller.object_id, authenticated.token)


async def _once(
    operation: Operation,
    request: Request[Any, Any],
    caller: "Caller",
    key: str,
    req: HttpRequest,
    exchange: Exchange,
) -> HttpResponse:
    """Make a repeatable change under its key. What follows it runs after the commit."""
    from shared.services.operation.idempotency import KeptAnswer, Repeatable

    then: Callable[[], Awaitable[None]] | None = None

    async def make() -> KeptAnswer:
        nonlocal then
        reply = await operation.handler(request)
        then = reply.then
        return _kept(_success(operation, reply, request.listed), reply)

    def refusal(error: "AdminAssistantError") -> KeptAnswer:
        return _kept(_problem(error, exchange), None)

    change = Repeatable(
        operation=operation.id,
        key=key,
        path=exchange.path,
        query=query_of(req),
        body=raw_body(req, request.app.foundations.settings.max_body_bytes),
    )

    async def look(answered: KeptAnswer) -> None:
        await _see(request, caller, exchange, answered)

    answered, replayed = await request.app.operation.idempotency.once(caller, change, make, refusal, look)
    response = HttpResponse(
        answered.body or None,
        status_code=answered.status,
        headers={name: value for name, value in answered.headers.items() if name != "Content-Type"},
        mimetype=answered.headers["Content-Type"],
    )
    if replayed:
        response.headers[_REPLAYED] = "true"
    else:
        await _afterwards(operation, then)
    return response


async def _see(
    request: Request[Any, Any], caller: "Caller", exchange: Exchange, answered: "KeptAnswer"
) -> None:
    """Read the subject of a stored answer. Raises the errors of its GET operation for this caller."""
    if not answered.body or answered.status >= HTTPStatus.BAD_REQUEST:
        return
    path = answered.headers.get("Location", exchange.path).removeprefix(f"/{PREFIX}/")
    reading = meant_by("GET", path)
    if reading is None or reading.roles is None or reading.query is not None:
        return
    authorise(caller, reading.roles)
    ids = read_path(reading.arguments(path), reading.parameters)
    await reading.handler(replace(request, path=ids, query=base.NoQuery(), body=base.NoBody()))


def _kept(response: HttpResponse, reply: Reply[Any] | None) -> "KeptAnswer":
    from shared.services.operation.idempotency import KeptAnswer

    headers = dict(response.headers.items()) | {"Content-Type": response.mimetype}
    owner = reply.owner_id if reply is not None else None
    return KeptAnswer(response.status_code, headers, response.get_body(), owner)


async def _afterwards(operation: Operation, then: Callable[[], Awaitable[None]] | None) -> None:
    """Run what follows a committed change. Its failure does not change the answer."""
    if then is None:
        return
    try:
        await then()
    except Exception:
        _LOG.exception("%s: what follows the change failed", operation.id)


def _body(operation: Operation, req: HttpRequest, limit: int) -> "base.Input":
    if operation.body is None:
        return base.NoBody()
    return read_body(req, operation.body, limit, optional=operation.body_optional)


def _success(operation: Operation, reply: Reply[Any], listed: ListIdentity) -> HttpResponse:
    headers = dict(reply.headers or {})
    if reply.location is not None:
        headers["Location"] = f"/{PREFIX}/{reply.location}"
    if reply.version is not None:
        headers["ETag"] = f'"{reply.version}"'
    if reply.retry_after is not None:
        headers["Retry-After"] = str(reply.retry_after)
    content = reply.content
    if isinstance(reply.body, rendered.RenderedPage):
        following = reply.body.following
        content = reply.body.json(listed.seal(following) if following is not None else None)
    elif isinstance(reply.body, rendered.Rendered):
        content = reply.body.json
    elif content is None and reply.body is not None:
        content = listed.seal_next(reply.body).model_dump_json().encode()
    return HttpResponse(
        content, status_code=reply.status or operation.status, headers=headers, mimetype=operation.media_type
    )


def _refuse(operation: Operation, error: Exception, exchange: Exchange) -> HttpResponse:
    known: AdminAssistantError | None = problem.translate(error)
    if known is None:
        _LOG.exception("%s failed", operation.id)
        known = problem.unexpected()
    elif known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.warning("%s: %s: %s", operation.id, type(error).__name__, error)
    return _problem(known, exchange)


def _problem(error: "AdminAssistantError", exchange: Exchange) -> HttpResponse:
    document = problem.describe(error, instance=exchange.path, correlation_id=exchange.correlation_id)
    return HttpResponse(
        document.model_dump_json().encode(),
        status_code=error.status,
        headers=dict(problem.headers_of(error)),
        mimetype=problem.MEDIA_TYPE,
    )
