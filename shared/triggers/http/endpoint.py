"""The one decorator through which every HTTP function is declared (design.md, One way in: HTTP)."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from azure.functions import AuthLevel, Blueprint, HttpRequest, HttpResponse
from pydantic import BaseModel

from shared.domain.caller import Caller, Role
from shared.schemas.base import Input, NoBody, NoQuery
from shared.telemetry import bind, span
from shared.triggers.http import problem
from shared.triggers.http.authentication import authenticate, require_role
from shared.triggers.http.exchange import Exchange, path_of
from shared.triggers.http.parsing import read_body, read_path, read_query
from shared.triggers.http.registry import PREFIX, Operation, Ownership, register

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

    from shared.application import Application
    from shared.errors import AdminAssistantError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request[Body: Input, Query: Input]:
    """What a handler gets: the services, the typed request, and for durable ones the durable client."""

    app: "Application"
    body: Body
    query: Query
    path: Mapping[str, UUID]
    relative_path: str
    identity: Caller | None
    client: "DurableFunctionsClient | None"

    @property
    def caller(self) -> Caller:
        """Who calls; only a public operation has none."""
        if self.identity is None:
            raise RuntimeError("a public operation has no caller")
        return self.identity

    @property
    def id(self) -> UUID:
        """The ``{id}`` of the route."""
        return self.path["id"]

    @property
    def durable_client(self) -> "DurableFunctionsClient":
        """The durable client of an operation declared with ``durable=True``."""
        if self.client is None:
            raise RuntimeError("the operation is not declared with durable=True")
        return self.client


@dataclass(frozen=True, slots=True)
class Reply[Model: BaseModel | None]:
    """A successful answer. ``location`` is a path below the prefix, ``version`` becomes the ETag."""

    body: Model
    location: str | None = None
    version: int | str | None = None
    retry_after: int | None = None
    status: int | None = None
    headers: Mapping[str, str] | None = None


type Handler[Body: Input, Query: Input, Model: BaseModel | None] = Callable[
    [Request[Body, Query]], Awaitable[Reply[Model]]
]


def new_blueprint() -> Blueprint:
    """An empty blueprint, for one module of endpoints."""
    return Blueprint()  # type: ignore[no-untyped-call]


def endpoint[Body: Input, Query: Input, Model: BaseModel | None](
    blueprint: Blueprint,
    method: str,
    route: str,
    *,
    summary: str,
    roles: frozenset[Role] | None,
    ownership: Ownership,
    response: type[Model],
    body: type[Body] | None = None,
    body_optional: bool = False,
    query: type[Query] | None = None,
    status: int = 200,
    errors: tuple[int, ...] = (),
    durable: bool = False,
) -> Callable[[Handler[Body, Query, Model]], Handler[Body, Query, Model]]:
    """Declare the decorated handler as the Azure Function of its name, ``method`` and ``route``.

    ``route`` is below the prefix, its ``{parameters}`` are UUIDs. ``roles`` None asks for no token.
    ``errors`` are the statuses the operation itself may answer, for the description of the API. The function
    validates the token, parses strictly, calls, serialises, and answers every error as problem+json.
    """

    def declare(handler: Handler[Body, Query, Model]) -> Handler[Body, Query, Model]:
        name: str = handler.__name__

        async def function(req: HttpRequest) -> HttpResponse:
            return await _answer(operation, handler, req, None)

        async def durable_function(req: HttpRequest, client: Any) -> HttpResponse:
            return await _answer(operation, handler, req, client)

        function.__name__ = durable_function.__name__ = name
        operation = Operation(
            id=name,
            method=method,
            route=route,
            summary=summary,
            roles=roles,
            ownership=ownership,
            body=body,
            body_optional=body_optional,
            query=query,
            response=None if response is type(None) else cast("type[BaseModel]", response),
            status=status,
            errors=errors,
            durable=durable,
            function=durable_function if durable else function,
        )
        register(operation)
        bound = (
            blueprint.durable_client_input(client_name="client")(durable_function) if durable else function
        )
        routed = blueprint.route(route=route, methods=[method], auth_level=AuthLevel.ANONYMOUS)(bound)
        blueprint.function_name(name)(routed)
        return handler

    return declare


async def _answer(
    operation: Operation, handler: Handler[Any, Any, Any], req: HttpRequest, client: Any
) -> HttpResponse:
    """Serve one request; answers whatever happens, except to a cancellation."""
    # The services are built at the first request, not when the worker indexes the app (cold start).
    from shared.application import get_application

    exchange, started = Exchange.of(req), time.perf_counter()
    with bind(correlation=exchange.correlation_id, ip=exchange.source_ip, trace=exchange.trace):
        origins: tuple[str, ...] = ()
        try:
            app = get_application()
            origins = app.settings.cors_origins
            response = await _serve(operation, handler, app, req, client)
        except Exception as error:
            response = _refuse(operation, error, exchange)
        for name, value in exchange.headers(origins).items():
            response.headers.setdefault(name, value)
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        _LOG.info(
            "%s %s",
            operation.id,
            response.status_code,
            extra={"operation": operation.id, "status": response.status_code, "milliseconds": milliseconds},
        )
        return response


async def _serve(
    operation: Operation, handler: Handler[Any, Any, Any], app: "Application", req: HttpRequest, client: Any
) -> HttpResponse:
    caller: Caller | None = None
    if operation.roles is not None:
        caller = await authenticate(req, app.tokens)
    with bind(caller=caller), span(operation.id):
        if caller is not None and operation.roles is not None:
            require_role(caller, operation.roles)
        request = Request(
            app=app,
            path=read_path(req.route_params, operation.parameters),
            relative_path=path_of(req.url).removeprefix(f"/{PREFIX}/"),
            query=read_query(req.params, operation.query or NoQuery),
            body=_body(operation, req, app.settings.max_body_bytes),
            identity=caller,
            client=client,
        )
        return _success(operation, await handler(request))


def _body(operation: Operation, req: HttpRequest, limit: int) -> Input:
    if operation.body is None:
        return NoBody()
    return read_body(req, operation.body, limit, optional=operation.body_optional)


def _success(operation: Operation, reply: Reply[Any]) -> HttpResponse:
    headers = dict(reply.headers or {})
    if reply.location is not None:
        headers["Location"] = f"/{PREFIX}/{reply.location}"
    if reply.version is not None:
        headers["ETag"] = f'"{reply.version}"'
    if reply.retry_after is not None:
        headers["Retry-After"] = str(reply.retry_after)
    content = None if reply.body is None else reply.body.model_dump_json().encode()
    return HttpResponse(
        content, status_code=reply.status or operation.status, headers=headers, mimetype="application/json"
    )


def _refuse(operation: Operation, error: Exception, exchange: Exchange) -> HttpResponse:
    known: AdminAssistantError | None = problem.translate(error)
    if known is None:
        _LOG.exception("%s failed", operation.id)
        known = problem.unexpected()
    elif known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.warning("%s: %s: %s", operation.id, type(error).__name__, error)
    document = problem.describe(known, instance=exchange.path, correlation_id=exchange.correlation_id)
    return HttpResponse(
        document.model_dump_json().encode(),
        status_code=known.status,
        headers=dict(problem.headers_of(known)),
        mimetype=problem.MEDIA_TYPE,
    )
