"""Calls the functions of the app as the worker does: one HTTP request in, one response out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import azure.functions as func

import function_app
from infra.local.functions_host.routes import name_order
from infra.local.functions_host.routing import Router, Template
from infra.local.graph_simulator import GraphSimulator
from infra.local.graph_simulator.loading.mailboxes import Loader
from shared.application import Application
from shared.triggers.http.registry import OPERATIONS, PREFIX, Operation

HOST = "https://assistant.example"
TENANT = UUID("11111111-1111-4111-8111-111111111111")
AUDIENCE = "api://22222222-aaaa-4222-8222-222222222222"


@dataclass(frozen=True)
class Response:
    """An answer, as a client sees it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)

    @property
    def fields(self) -> list[str]:
        """The fields that a problem document names."""
        return [error["field"] for error in self.json["errors"]]


def problem(response: Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem document of an answer, checked for what every one of them carries."""
    document: dict[str, Any] = response.json
    assert response.status == status, document
    assert response.headers["content-type"] == "application/problem+json"
    assert document["status"] == status
    assert document["correlation_id"] == response.headers["x-correlation-id"]
    assert document["title"]
    assert document["detail"]
    if code is not None:
        assert document["code"] == code
        assert document["type"].endswith(code)
    return document


class Caller:
    """A client of the API, with tokens from the simulator's token service."""

    def __init__(self, simulator: GraphSimulator, app: Application) -> None:
        self.simulator = simulator
        self.app = app
        self.durable: Any = None

    def mailbox(self, address: str, *calendars: str) -> UUID:
        """A mailbox with a primary calendar and those of the names; returns its object id."""
        loader = Loader(self.simulator.state, self.simulator.settings)
        named = [{"name": "Calendar", "is_default": True}, *({"name": name} for name in calendars)]
        return UUID(loader.load_mailbox({"address": address, "calendars": named})["oid"])

    def token(self, *roles: str, **wish: Any) -> str:
        """A token of our API; ``wish`` is the simulator's."""
        return self.simulator.identity.mint({"audience": AUDIENCE, "roles": list(roles), **wish})

    def person(self, oid: UUID, *roles: str) -> str:
        """The token of a signed-in person."""
        return self.token(*roles, oid=str(oid))

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        host: str = HOST,
        **query: Any,
    ) -> Response:
        """Send a request to the function that serves it; ``body`` is sent as it is if it is bytes."""
        sent = {"host": host, **(headers or {})}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if raw:
            sent.setdefault("content-type", "application/json")
        function, parameters = route(method, path)
        request = func.HttpRequest(
            method=method,
            url=f"{host}/{PREFIX}/{path}" + (f"?{urlencode(query)}" if query else ""),
            headers=sent,
            params={name: str(value) for name, value in query.items()},
            route_params=parameters,
            body=raw,
        )
        operation = OPERATIONS[function]
        arguments = {"client": self.durable} if operation.durable else {}
        response = await operation.function(request, **arguments)
        headers_out = {name.lower(): value for name, value in response.headers.items()}
        headers_out.setdefault("content-type", response.mimetype)
        return Response(response.status_code, headers_out, response.get_body())


@cache
def declared_functions() -> list[Any]:
    """Every function of the app, Durable ones included; the app tells them only once in a process."""
    return list(function_app.app.get_functions())


@cache
def _router() -> Router[Operation]:
    router: Router[Operation] = Router()
    for operation in sorted(OPERATIONS.values(), key=lambda each: name_order(each.id)):
        router.add(Template.parse(operation.template), operation.methods, operation)
    return router


def route(method: str, path: str) -> tuple[str, dict[str, str]]:
    """The operation that serves a path, and the values of its route parameters, as the host finds them."""
    found = _router().find(method, path)
    assert found is not None, (method, path)
    operation, parameters = found
    return operation.id, parameters
