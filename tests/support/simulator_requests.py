"""Requests to the Graph simulator as people's programs make them: over HTTP, or in the same process."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from multidict import CIMultiDict

from infra.local.graph_simulator.control.admin import Admin
from infra.local.graph_simulator.graph.calls import Answer, Call, Caller
from infra.local.graph_simulator.graph.query import split_target
from infra.local.graph_simulator.graph.service import Service
from infra.local.graph_simulator.values.errors import GraphError

type Json = dict[str, Any]
#: Method, path with the version (or ``/_simulator``), body and headers -> status and JSON.
type Send = Callable[[str, str, Json | None, dict[str, str]], Awaitable[tuple[int, Any]]]


class EditRefusedError(Exception):
    """The simulator refused an edit: HTTP status and Graph's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


def over_http(client: httpx.AsyncClient, token: str) -> Send:
    """Send to a running simulator; ``client`` has its base URL, ``token`` is a Graph token of it."""

    async def send(method: str, path: str, body: Json | None, headers: dict[str, str]) -> tuple[int, Any]:
        headers = {**headers, "Authorization": f"Bearer {token}"}
        answer = await client.request(method, path, json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    return send


def in_process(service: Service) -> Send:
    """Send to a simulator's service without HTTP, throttling or faults, as simulated worlds run it."""

    no_identity: Any = None
    admin = Admin(service, no_identity)

    async def send(method: str, path: str, body: Json | None, headers: dict[str, str]) -> tuple[int, Any]:
        segments, query = split_target(path)
        if segments[0] == "_simulator":
            answer = admin.answer(method, path, {}, b"", body)
            return answer.status, answer.body
        permissions = frozenset({"Calendars.ReadWrite", "User.Read.All"})
        graph_path = "/" + path.partition("?")[0].removeprefix("/v1.0").lstrip("/")
        call = Call(
            *(method, graph_path, segments[1:], query, CIMultiDict(headers)),
            base="http://graph/v1.0",
            caller=Caller("outlook", None, permissions),
            payload=body,
        )
        return _handled(service, call)

    return send


def _handled(service: Service, call: Call) -> tuple[int, Any]:
    service.routes.locate(call)
    try:
        answer: Answer = service.routes.handle(call)
    except GraphError as error:
        return error.status, error.body("", "")
    return answer.status, answer.body
