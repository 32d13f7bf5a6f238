"""Examples for the API's description, from a running demonstration tenant.

``python -m infra.local.api_examples --port PORT --person ADDRESS`` writes them again. An id has the same
replacement in every example.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import httpx
import orjson

from infra.local import identities, running_system
from infra.local.api import Api
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


class Examples:
    """Collects an example for each model that an answer shows."""

    def __init__(self, document: Mapping[str, Json]) -> None:
        self._document = document
        self.found: dict[str, Json] = {}
        self._ids: dict[str, str] = {}

    def take(self, template: str, answer: Json) -> None:
        """An answer to the GET of a path of the description."""
        operation = self._document["paths"][template]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        self._walk(schema, self._plain(answer, ""))

    def _walk(self, schema: Mapping[str, Json], value: Json) -> None:
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_PREFIX)
            model = self._document["components"]["schemas"][name]
            if isinstance(value, dict):
                if value.keys() != model.get("properties", {}).keys():
                    # Of several kinds it is another one.
                    return
                # The fullest one says most.
                known = self.found.get(name)
                if known is None or _told(value) > _told(known):
                    self.found[name] = value
            self._walk(model, value)
            return
        for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if value is not None:
                self._walk(choice, value)
        if isinstance(value, dict):
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    self._walk(inner, value[name])
        elif isinstance(value, list):
            for each in value:
                self._walk(schema.get("items", {}), each)

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


async def collect(client: httpx.AsyncClient, base: str, admin: str, person: str) -> dict[str, Json]:
    """Examples by model; ``admin`` and ``person`` are tokens. Raises LocalError when the API refuses."""
    document = (await client.get(f"{base}/api/openapi.json")).json()
    examples = Examples(document)
    own, tenant = (Api(client, f"{base}/api/v1/", token) for token in (person, admin))
    async for template, api, path, params in _asked(own, tenant):
        examples.take(f"/api/v1/{template}", (await api.request("GET", path, **params)).json())
    return dict(sorted(examples.found.items()))


async def _asked(own: Api, tenant: Api) -> AsyncIterator[tuple[str, Api, str, dict[str, Any]]]:
    me = (await own.request("GET", "me")).json()
    yield "me", own, "me", {}
    user = me["user"]["id"]
    configurations = (await own.request("GET", "archive-configurations")).json()["items"]
    archive = configurations[0]["id"]
    runs = (await own.request("GET", f"archive-configurations/{archive}/runs")).json()["items"]
    window = {"window_start": runs[0]["window_start"], "window_end": runs[0]["window_end"]}
    of_user: list[tuple[str, dict[str, Any]]] = [
        ("archive-configurations", {}),
        ("appointments", window | {"configuration_id": archive}),
        ("overlaps", {}),
        ("action-items", {}),
        ("needs-attention", {}),
        ("notifications", {}),
        ("categories", {}),
        ("categories/validation", window),
        ("categories/statistics", window | {"group_by": "week"}),
        ("categories/suggestions", window),
    ]
    for path, params in of_user:
        yield path, own, path, params
    for name, path, params in (
        ("appointments", "appointments", window | {"configuration_id": archive}),
        ("overlaps", "overlaps", {}),
        ("action-items", "action-items", {}),
        ("archive-configurations", "archive-configurations", {}),
    ):
        for item in (await own.request("GET", path, **params)).json()["items"][:1]:
            yield f"{name}/{{id}}", own, f"{name}/{item['id']}", {}
    yield "months/{month}", own, f"months/{runs[0]['window_start'][:7]}", {}
    yield "archive-configurations/{id}/runs", own, f"archive-configurations/{archive}/runs", {}
    yield "archive-runs/{id}", own, f"archive-runs/{runs[0]['id']}", {}
    yield "archive-runs/{id}/operations", own, f"archive-runs/{runs[0]['id']}/operations", {}
    yield "archive-configurations/{id}/plan", own, f"archive-configurations/{archive}/plan", {}
    yield "users/{id}/calendars", own, f"users/{user}/calendars", {}
    for path in ("users", "mailbox-approvals", "audit", "audit/actions", "system/settings", "system/health"):
        yield path, tenant, path, {}
    yield "users/{id}", tenant, f"users/{user}", {}
    yield "audit/verification", tenant, "audit/verification", {}


def text(examples: Mapping[str, Json]) -> str:
    """The file."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(examples, option=options).decode()


async def _taken(port: int, person: str) -> dict[str, Json]:
    tokens = [
        running_system.token(port + 1, address, roles)
        for address, roles in ((identities.ADMIN_ADDRESS, ["Admin"]), (person, ["User"]))
    ]
    async with httpx.AsyncClient(timeout=60) as client:
        return await collect(client, f"http://127.0.0.1:{port}", *tokens)


def main(arguments: Sequence[str]) -> None:
    """Write the examples again from a running demonstration tenant."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.api_examples", allow_abbrev=False)
    parser.add_argument("--port", type=int, required=True, help="of the Functions host")
    parser.add_argument("--person", required=True, help="address of the person whose data it shows")
    parser.add_argument("--to", type=Path, default=PATH, help="the file")
    given = parser.parse_args(arguments)
    examples = asyncio.run(_taken(given.port, given.person))
    given.to.write_text(text(examples), encoding="utf-8")
    print(f"{len(examples)} examples in {given.to}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
