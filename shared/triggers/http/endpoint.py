"""The one decorator that declares every HTTP function (design.md, One way in: HTTP)."""

from collections.abc import Callable, Mapping
from typing import Any

import azure.durable_functions as df
from azure.functions import AuthLevel, Blueprint, HttpRequest, HttpResponse

from shared.domain.identity.roles import Role
from shared.triggers.http.messages import Handler, Reply, Request
from shared.triggers.http.registry import GraphAccess, IfMatch, Operation, Ownership, register

__all__ = ["Reply", "Request", "endpoint", "new_blueprint"]


def new_blueprint(*, durable: bool = False) -> Blueprint:
    """An empty blueprint, for one module of endpoints; ``durable`` where some take the durable client.

    A plain one makes a durable one for each of those.
    """
    return df.Blueprint() if durable else Blueprint()  # type: ignore[no-untyped-call,return-value] # one has what the other has


def endpoint[Served: Handler[Any, Any, Any]](
    blueprint: Blueprint,
    method: str,
    route: str,
    *,
    summary: str,
    roles: frozenset[Role] | None,
    ownership: Ownership,
    body_optional: bool = False,
    status: int = 200,
    errors: tuple[int, ...] = (),
    durable: bool = False,
    also: tuple[str, ...] = (),
    if_match: IfMatch = IfMatch.UNUSED,
    media_type: str = "application/json",
    other_media_types: tuple[str, ...] = (),
    graph: GraphAccess = GraphAccess.NONE,
    order: tuple[str, ...] = (),
    response_headers: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Callable[[Served], Served]:
    """Declare the decorated handler as the Azure Function of its name, ``method`` and ``route``.

    - ``route`` is below the prefix. Its ``{parameters}`` are UUIDs and get the constraint ``guid``. Those in
      ``texts`` have a regular expression instead and reach the handler unchecked. One with its own constraint
      is text too, and not described.
    - ``roles`` None requires no token.
    - ``errors`` are the operation's own error statuses, for the description of the API.
    - ``also`` are further methods of the same function (GET always has HEAD).
    - ``graph`` is the permission with which it calls Microsoft Graph.
    - ``order`` is the order of a list.

    The models of body, query and answer come from the handler's annotations, ``Request[Body, Query]`` and
    ``Reply[Model]``. The function validates the token, parses strictly, calls, serialises, and answers every
    error as problem+json. A change accepts Idempotency-Key.
    """

    def declare(handler: Served) -> Served:
        name: str = handler.__name__

        async def function(req: HttpRequest) -> HttpResponse:
            return await _answer(operation, req, None)

        async def durable_function(req: HttpRequest, client: Any) -> HttpResponse:
            return await _answer(operation, req, client)

        function.__name__ = durable_function.__name__ = name
        operation = Operation(
            id=name,
            method=method,
            also=(*(("HEAD",) if method == "GET" else ()), *also),
            route=route,
            summary=summary,
            description=" ".join((handler.__doc__ or "").split()),
            roles=roles,
            ownership=ownership,
            body_optional=body_optional,
            status=status,
            errors=errors,
            durable=durable,
            if_match=if_match,
            media_type=media_type,
            other_media_types=other_media_types,
            graph=graph,
            order=order,
            texts=texts or {},
            response_headers=response_headers or {},
            handler=handler,
            function=durable_function if durable else function,
        )
        register(operation)
        bound = (
            blueprint.durable_client_input(client_name="client")(durable_function) if durable else function
        )
        blueprint.route(
            route=operation.template, methods=list(operation.methods), auth_level=AuthLevel.ANONYMOUS
        )(bound)
        return handler

    return declare


async def _answer(operation: Operation, req: HttpRequest, client: Any) -> HttpResponse:
    # Loaded at the first request, not when the worker indexes the app (cold start).
    from shared.triggers.http.serving import answer

    return await answer(operation, req, client)
