"""Examples for the API's description, from a running demonstration tenant.

``python -m infra.local.api_examples --port PORT`` writes them again. It sends the requests of
``example_story`` there, so their bodies are examples too. An id has the same replacement everywhere.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import httpx
import orjson

from infra.local import identities, running_system
from infra.local.api import Api
from infra.local.example_story import MARCUS, NORA, Cast, Simulator, Story
from infra.local.stack import ROOT

PATH: Final = ROOT / "shared" / "triggers" / "http" / "examples.json"
_PREFIX: Final = "#/components/schemas/"
#: At most this many entries of a list are shown.
_SHOWN: Final = 2
_UUID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{1,6}Z")
#: Tokens of Outlook and of lists, which mean nothing to a reader.
_OPAQUE: Final = {"next": "Y3Vyc29yLW9mLXRoZS1uZXh0LXBhZ2U=", "commit": None, "sha256": "0" * 64}
#: Figures of one machine.
_MEASURED: Final = {"milliseconds": 3.2, "seconds": 12.5, "graph_requests": 120, "round_trips": 24}

type Json = Any
#: Keeps a value as the example of a named model; False if it is no such model's.
type Keep = Callable[[str, Mapping[str, Json], Mapping[str, Json]], bool]
#: A token of a person: address and roles.
type Tokens = Callable[[str, Sequence[str]], Awaitable[str]]


class Examples:
    """Collects examples: of models that answers and bodies have, and of the parameters of lists."""

    def __init__(self, document: Mapping[str, Json]) -> None:
        self._document = document
        self.answers: dict[str, Json] = {}
        self.bodies: dict[str, Json] = {}
        self.parameters: dict[str, Json] = {}
        self.problems: dict[str, Json] = {}
        self._ids: dict[str, str] = {}

    def note(self, method: str, template: str, body: Json, answer: httpx.Response) -> None:
        """A request to a path of the description that was accepted."""
        operation = self._document["paths"][template][method.lower()]
        if body is not None:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            self._walk(schema, self._plain(body, ""), self._keep_body)
        content = operation["responses"][str(answer.status_code)].get("content", {})
        if "application/json" in content:
            schema = content["application/json"]["schema"]
            self._walk(schema, self._plain(answer.json(), ""), self._keep_answer)

    def note_problem(self, answer: httpx.Response) -> None:
        """The answer to a request that was refused."""
        self.problems[str(answer.status_code)] = self._plain(answer.json(), "")

    def note_parameters(self, template: str, parameters: Mapping[str, Json]) -> None:
        """What a list was asked with."""
        operation = self._document["paths"][template]["get"]
        if parameters:
            self.parameters[operation["operationId"]] = self._plain(dict(parameters), "")

    def found(self) -> dict[str, dict[str, Json]]:
        """All examples, as the file holds them."""
        return {
            "answers": self.answers,
            "bodies": self.bodies,
            "parameters": self.parameters,
            "problems": self.problems,
        }

    def _keep_answer(self, name: str, model: Mapping[str, Json], value: Mapping[str, Json]) -> bool:
        """Of several kinds it is the one with these fields. The fullest one says most."""
        if value.keys() != model.get("properties", {}).keys():
            return False
        known = self.answers.get(name)
        if known is None or _told(value) > _told(known):
            self.answers[name] = value
        return True

    def _keep_body(self, name: str, model: Mapping[str, Json], value: Mapping[str, Json]) -> bool:
        """Of several kinds it is the one that may be like this. A body names what it needs."""
        fields = model.get("properties", {})
        told = all(
            value[key] == fields[key]["const"] for key in fields if "const" in fields[key] if key in value
        )
        if not told or not set(model.get("required", ())) <= value.keys() <= fields.keys():
            return False
        self.bodies.setdefault(name, value)
        return True

    def _walk(self, schema: Mapping[str, Json], value: Json, keep: Keep) -> None:
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_PREFIX)
            model = self._document["components"]["schemas"][name]
            if not isinstance(value, dict) or "properties" not in model or keep(name, model, value):
                self._walk(model, value, keep)
            return
        for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if value is not None:
                self._walk(choice, value, keep)
        if isinstance(value, dict):
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    self._walk(inner, value[name], keep)
        elif isinstance(value, list):
            for each in value:
                self._walk(schema.get("items", {}), each, keep)

    def _plain(self, value: Json, name: str) -> Json:
        if isinstance(value, dict):
            return {key: self._plain(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._plain(inner, name) for inner in value[:_SHOWN]]
        if value is None:
            return None
        if name in _OPAQUE:
            return _OPAQUE[name]
        if name in _MEASURED:
            return type(value)(_MEASURED[name])
        if isinstance(value, str):
            return _INSTANT.sub(_whole_seconds, _UUID.sub(self._same_id, value))
        return value

    def _same_id(self, found: re.Match[str]) -> str:
        return self._ids.setdefault(found[0], str(uuid5(NAMESPACE_URL, f"example:{len(self._ids)}")))


def _whole_seconds(found: re.Match[str]) -> str:
    return f"{found[0].partition('.')[0]}Z"


def _told(value: Json) -> int:
    if isinstance(value, dict):
        return sum(_told(each) for each in value.values())
    if isinstance(value, list):
        return sum(_told(each) for each in value)
    return 0 if value is None else 1


async def collect(
    client: httpx.AsyncClient, base: str, token: Tokens, simulator: Simulator
) -> dict[str, dict[str, Json]]:
    """Tell the story in a demonstration tenant and take examples of it.

    ``token`` gives one of a person (address, roles). Raises LocalError when the API refuses anything.
    """

    async def caller(address: str, *roles: str) -> Api:
        return Api(client, f"{base}/api/v1/", await token(address, roles))

    examples = Examples((await client.get(f"{base}/api/openapi.json")).json())
    cast = Cast(
        nora=await caller(NORA, "User"),
        marcus=await caller(MARCUS, "User"),
        admin=await caller(identities.ADMIN_ADDRESS, "Admin"),
        other_admin=await caller("yuki.tanaka@example.com", "Admin"),
        chief=await caller(NORA, "Admin"),
        stranger=Api(client, f"{base}/api/v1/", "expired"),
    )
    story = Story(cast, simulator, examples)
    await story.tell()
    async for template, api, path, params in _asked(cast, story.ids):
        answer = await api.request("GET", path, **params)
        examples.note_parameters(f"/api/v1/{template}", params)
        examples.note("GET", f"/api/v1/{template}", None, answer)
    await story.end()
    return examples.found()


async def _asked(cast: Cast, ids: Mapping[str, str]) -> AsyncIterator[tuple[str, Api, str, dict[str, Any]]]:
    own, tenant = cast.nora, cast.admin
    archive, run, user = f"archive-configurations/{ids['archive']}", f"archive-runs/{ids['run']}", ids["user"]
    window: dict[str, Any] = {"window_start": "2026-01-12T00:00:00Z", "window_end": "2026-01-19T00:00:00Z"}
    yield "me", own, "me", {}
    # What a list shows first is what the others show, too.
    for path, params in (
        ("appointments", window | {"configuration_id": ids["archive"]}),
        ("overlaps", {}),
        ("action-items", {}),
        ("archive-configurations", {}),
    ):
        yield path, own, path, params
        for item in (await own.request("GET", path, **params)).json()["items"][:1]:
            yield f"{path}/{{id}}", own, f"{path}/{item['id']}", {}
    for path, params in (
        ("needs-attention", {"first_day": "2026-01-01", "last_day": "2026-01-31"}),
        ("notifications", {}),
        ("categories", {}),
        ("category-rules", {}),
        ("categories/validation", window),
        ("categories/statistics", window | {"group_by": "week"}),
        ("categories/suggestions", window),
    ):
        yield path, own, path, params
    yield "months/{month}", own, "months/2026-01", {}
    for below in ("runs", "plan", "backfill", "verifications"):
        yield f"archive-configurations/{{id}}/{below}", own, f"{archive}/{below}", {}
    yield "archive-runs/{id}", own, run, {}
    yield "archive-runs/{id}/operations", own, f"{run}/operations", {}
    verification = f"verifications/{ids['verification']}"
    yield "verifications/{id}", own, verification, {}
    yield "verifications/{id}/findings", own, f"{verification}/findings", {}
    for below in ("calendars", "exports"):
        yield f"users/{{id}}/{below}", own, f"users/{user}/{below}", {}
    local = f"local-calendars/{ids['local']}"
    yield "local-calendars/{id}", own, local, {}
    yield "local-calendars/{id}/events", own, f"{local}/events", window
    for path in ("users", "mailbox-approvals", "audit", "audit/actions", "audit/verification", "tenants"):
        yield path, tenant, path, {}
    for path in ("invitations", "break-glass-accesses", "user-erasures"):
        yield path, tenant, path, {}
    for path in ("system/settings", "system/health", "system/doctor"):
        yield path, tenant, path, {}
    yield "users/{id}", tenant, f"users/{user}", {}


def text(examples: Mapping[str, Json]) -> str:
    """The file."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(examples, option=options).decode()


async def _taken(port: int) -> dict[str, dict[str, Json]]:
    async def token(address: str, roles: Sequence[str]) -> str:
        return await asyncio.to_thread(running_system.token, port + 1, address, roles)

    async with httpx.AsyncClient(timeout=60) as client:

        async def simulator(method: str, path: str, body: Json) -> Json:
            url = f"http://127.0.0.1:{port + 1}/_simulator/{path}"
            answer = (await client.request(method, url, json=body)).raise_for_status()
            return answer.json() if answer.content else None

        return await collect(client, f"http://127.0.0.1:{port}", token, simulator)


def main(arguments: Sequence[str]) -> None:
    """Write the examples again from a running demonstration tenant."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.api_examples", allow_abbrev=False)
    parser.add_argument("--port", type=int, required=True, help="of the Functions host")
    parser.add_argument("--to", type=Path, default=PATH, help="the file")
    given = parser.parse_args(arguments)
    examples = asyncio.run(_taken(given.port))
    given.to.write_text(text(examples), encoding="utf-8")
    counted = ", ".join(f"{len(found)} {kind}" for kind, found in examples.items())
    print(f"examples of {counted} in {given.to}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
