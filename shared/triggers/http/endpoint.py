"""The one way to declare an HTTP function (design.md, One way in: HTTP)."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, Unpack

import azure.durable_functions as df
from azure.functions import AuthLevel, Blueprint, HttpRequest, HttpResponse

from shared.triggers.http.messages import Handler, Reply, Request, page_of
from shared.triggers.http.registry import Declaration, Operation, register

__all__ = ["Endpoints", "Reply", "Request", "page_of"]

_signature: Final = cache(inspect.signature)


class Endpoints:
    """The HTTP functions of one module, on a blueprint. ``durable`` where some take the durable client.

    A plain blueprint makes a durable one for each of those.
    """

    def __init__(self, *, durable: bool = False) -> None:
        # One has what the other has.
        self.blueprint: Blueprint = df.Blueprint() if durable else Blueprint()  # type: ignore[no-untyped-call,assignment]

    def get[Served: Handler[Any, Any, Any]](
        self, route: str, **declared: Unpack[Declaration]
    ) -> Callable[[Served], Served]:
        """Declare the decorated handler for GET and HEAD."""
        return self.endpoint("GET", route, **declared)

    def post[Served: Handler[Any, Any, Any]](
        self, route: str, **declared: Unpack[Declaration]
    ) -> Callable[[Served], Served]:
        """Declare the decorated handler for POST."""
        return self.endpoint("POST", route, **declared)

    def put[Served: Handler[Any, Any, Any]](
        self, route: str, **declared: Unpack[Declaration]
    ) -> Callable[[Served], Served]:
        """Declare the decorated handler for PUT."""
        return self.endpoint("PUT", route, **declared)

    def patch[Served: Handler[Any, Any, Any]](
        self, route: str, **declared: Unpack[Declaration]
    ) -> Callable[[Served], Served]:
        """Declare the decorated handler for PATCH."""
        return self.endpoint("PATCH", route, **declared)

    def delete[Served: Handler[Any, Any, Any]](
        self, route: str, **declared: Unpack[Declaration]
    ) -> Callable[[Served], Served]:
        """Declare the decorated handler for DELETE."""
        return self.endpoint("DELETE", route, **declared)

    def endpoint[Served: Handler[Any, Any, Any]](
        self, method: str, route: str, **declared: Unpack[Declaration]
    ) -> Callable[[Served], Served]:
        """Declare the decorated handler as the Azure Function of its name, ``method`` and ``route``.

        ``route`` is below the prefix. Its ``{parameters}`` are UUIDs and get the constraint ``guid``. Those
        in ``texts`` have a regular expression instead and reach the handler unchecked. One with its own
        constraint is text too, and not described.

        The models of body, query and answer come from the handler's annotations, ``Request[Body, Query]``
        and ``Reply[Model]``. The function validates the token, parses strictly, calls, serialises, and
        answers every error as problem+json. A change accepts Idempotency-Key.
        """

        def declare(handler: Served) -> Served:
            name: str = handler.__name__

            async def function(req: HttpRequest) -> HttpResponse:
                return await _answer(operation, req, None)

            async def durable_function(req: HttpRequest, client: Any) -> HttpResponse:
                return await _answer(operation, req, client)

            function.__name__ = durable_function.__name__ = name
            durable = declared.get("durable", False)
            operation = Operation(
                id=name,
                method=method,
                route=route,
                description=" ".join((handler.__doc__ or "").split()),
                handler=handler,
                function=durable_function if durable else function,
                **declared,
            )
            register(operation)
            with _known_signatures():
                bound = function
                if durable:
                    bound = self.blueprint.durable_client_input(client_name="client")(durable_function)
                self.blueprint.route(
                    route=operation.template, methods=list(operation.methods), auth_level=AuthLevel.ANONYMOUS
                )(bound)
            return handler

        return declare


@contextmanager
def _known_signatures() -> Iterator[None]:
    """Inside, each signature is determined once.

    The library asks for those of the same few constructors for every binding. That is a fifth of the time to
    load the app (cold start).
    """
    before, inspect.signature = inspect.signature, _signature
    try:
        yield
    finally:
        inspect.signature = before


async def _answer(operation: Operation, req: HttpRequest, client: Any) -> HttpResponse:
    # Loaded at the first request, not when the worker indexes the app (cold start).
    from shared.triggers.http.serving import answer

    return await answer(operation, req, client)
