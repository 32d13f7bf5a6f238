"""Hostile text in every string of every request ends in a 4xx, or is stored and given back as it was."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.triggers.http.registry import OPERATIONS
from tests.integration.api.caller import Caller, Response
from tests.integration.api.conftest import People
from tests.security.authorisation_world import REQUESTS, World
from tests.security.test_authorisation import GUARDED

HOSTILE = {
    "SQL": "x'; DROP TABLE users; --",
    "SQL in a cast": "1) OR (1=1",
    "header": "x\r\nSet-Cookie: admin=1",
    "CSV formula": '=HYPERLINK("http://evil.example","x")',
    "path": "../../../../etc/passwd",
    "escaped path": "..%2f..%2fetc%2fpasswd",
    "template": "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "format string": "%s%n{0.__class__}",
    "markup": "<script>alert(1)</script>",
    "bidi": "abc\u202egnp.exe",
    "NUL": "a\u0000b",
    "lone surrogate": "a\ud800b",
    "megabyte": "A" * 1_000_000,
    "pattern that takes for ever": "a" * 5_000 + "!",
    "JSON in text": '{"$ref": "#/"}',
    "long number": "9" * 400,
    "combining": "e" + "\u0301" * 400,
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where strings stand in a JSON value."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def replaced(value: Any, path: tuple[Any, ...], text: str) -> Any:
    """The value with other text at a place."""
    changed = copy.deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = text
    return changed


def harmless(response: Response, what: str) -> None:
    assert response.status < 500, (what, response.body[:300])
    assert "set-cookie" not in response.headers, what
    assert all("\n" not in value and "\r" not in value for value in response.headers.values()), what
    if response.status >= 400:
        assert response.headers["content-type"] == "application/problem+json", what
        assert b"Traceback" not in response.body, what


@pytest.mark.parametrize("name", [name for name in GUARDED if OPERATIONS[name].body is not None])
async def test_in_every_string_of_every_body(api: Caller, people: People, world: World, name: str) -> None:
    operation, request = OPERATIONS[name], REQUESTS[name](world)
    path = operation.route.replace("{id}", str(request.id))
    assert operation.body is not None
    schema = (await api("GET", "openapi.json")).json["components"]["schemas"][operation.body.__name__]
    body = schema["examples"][0] | (request.body or {})
    for place in places(body):
        for kind, text in HOSTILE.items():
            raw = json.dumps(replaced(body, place, text)).encode()
            response = await api(operation.method, path, raw, token=people.admin, headers={"if-match": "*"})
            harmless(response, f"{name} {place} {kind}")
            if response.status < 300 and place[-1] in response.json:
                assert response.json[place[-1]] in (text, text.strip())


@pytest.mark.parametrize("name", [name for name in GUARDED if OPERATIONS[name].query is not None])
async def test_in_every_parameter(api: Caller, people: People, world: World, name: str) -> None:
    operation, request = OPERATIONS[name], REQUESTS[name](world)
    assert operation.query is not None
    path = operation.route.replace("{id}", str(request.id))
    for parameter in operation.query.model_fields:
        for kind, text in HOSTILE.items():
            sendable = text.encode("utf-8", "replace").decode()[:60_000]
            query: dict[str, Any] = {**request.query, parameter: sendable}
            response = await api(operation.method, path, token=people.admin, **query)
            harmless(response, f"{name} {parameter} {kind}")


@pytest.mark.parametrize("header", ["idempotency-key", "if-match", "x-correlation-id", "traceparent"])
async def test_in_every_header(api: Caller, people: People, world: World, header: str) -> None:
    for kind, text in HOSTILE.items():
        path = f"v1/archive-configurations/{world.configuration}"
        headers = {"if-match": '"1"', header: text.encode("utf-8", "replace").decode()}
        response = await api("PATCH", path, {"lookback_days": 3}, token=people.admin, headers=headers)
        harmless(response, f"{header} {kind}")
