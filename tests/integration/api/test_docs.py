"""The description of the API: complete, true in its examples, and shown without any other site."""

import json
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import jsonschema_rs
import pytest

from shared.triggers.http.registry import OPERATIONS, authorisation_table
from tests.integration.api.caller import Caller, problem


@pytest.fixture
async def document(stranger: Caller) -> dict[str, Any]:
    response = await stranger("GET", "openapi.json")
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = response.json
    return found


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


async def test_every_operation_is_described(document: dict[str, Any]) -> None:
    described = {operation["operationId"]: operation for operation in operations(document)}
    declared = {name for name, operation in OPERATIONS.items() if operation.is_described}
    assert not [path for path in document["paths"] if ":" in path or "*" in path]
    assert set(described) == declared
    assert document["openapi"].startswith("3.1")
    for name, operation in described.items():
        assert operation["summary"], name
        assert operation["description"], name
        statuses = set(operation["responses"])
        assert {"422", "500", "503"} <= statuses, name
        if OPERATIONS[name].roles is not None:
            assert {"401", "403", "429"} <= statuses, name
            assert {"bearer": []} in operation["security"]
        else:
            assert operation["security"] == []
        assert {str(status) for status in OPERATIONS[name].errors} <= statuses


async def test_no_text_cites_a_document_that_a_client_does_not_have(document: dict[str, Any]) -> None:
    texts = {
        text for node in nodes(document) for text in (node.get("description"), node.get("summary")) if text
    }
    cited = re.compile(r"\.md\b|\(\d+\.\d+")
    assert [text for text in texts if isinstance(text, str) and cited.search(text)] == []


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for node in nodes(document):
        if isinstance(node.get("$ref"), str):
            resolve(document, node["$ref"])
        for link in node.get("links", {}).values() if isinstance(node.get("links"), dict) else ():
            assert link["operationId"] in OPERATIONS
    assert all(re.fullmatch(r"[A-Za-z0-9]+", name) for name in document["components"]["schemas"])


async def test_every_example_is_valid(document: dict[str, Any]) -> None:
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"]}

    def check(schema: dict[str, Any], example: Any) -> None:
        validator = jsonschema_rs.validator_for(whole | schema, validate_formats=True)
        assert not list(validator.iter_errors(example)), (schema, example)

    checked = 0
    for schema in document["components"]["schemas"].values():
        for example in schema.get("examples", []):
            check(schema, example)
            checked += 1
    for node in nodes(document):
        if "schema" in node and "example" in node:
            check(node["schema"], node["example"])
            checked += 1
    assert checked > 40


async def test_the_examples_of_requests_are_accepted_by_the_models(document: dict[str, Any]) -> None:
    for operation in OPERATIONS.values():
        if operation.body is not None:
            name = operation.body.__name__
            example = document["components"]["schemas"][name]["examples"][0]
            operation.body.model_validate_json(json.dumps(example))


async def test_the_page_and_its_files_come_from_here_alone(stranger: Caller) -> None:
    page = await stranger("GET", "docs")
    assert page.headers["content-type"] == "text/html"
    files = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(files) == 4
    for name in files:
        assert "://" not in name
        file = await stranger("GET", name)
        assert file.status == 200, name
        assert file.headers["content-type"] in ("text/css", "text/javascript", "image/png")
        assert file.body
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert re.findall(r"https?://[^ ;]+", policy) == [stranger.app.foundations.settings.authority]
    assert b"SwaggerUIBundle" in (await stranger("GET", "docs/swagger-ui-bundle.js")).body
    start = (await stranger("GET", "docs/start.js")).body.decode()
    assert "validatorUrl: null" in start
    assert "usePkceWithAuthorizationCodeGrant" in start


async def test_each_problem_leads_to_its_cause_and_remedy(stranger: Caller) -> None:
    page = await stranger("GET", "docs/errors")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    refused = await stranger("GET", "v1/users")
    where, _, anchor = refused.json["type"].partition("#")
    assert (where, anchor) == ("/api/docs/errors", refused.json["code"])
    line = next(line for line in page.body.decode().splitlines() if f'<tr id="{anchor}">' in line)
    assert "Sign in and send it as a bearer token." in line


@pytest.mark.parametrize(
    "name", ["nothing", "../openapi.py", "%2e%2e/settings.py", "swagger-ui.css/..", "LICENSE", "x" * 41]
)
async def test_no_other_file_is_served(stranger: Caller, name: str) -> None:
    problem(await stranger("GET", f"docs/{name}"), 404)


def test_the_permission_table_is_printed() -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "shared.triggers.http.authorisation"]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    lines = printed.splitlines()
    assert len(lines) == len(list(authorisation_table())) + 1
    (line,) = [each for each in lines if each.endswith(" create_user")]
    told = ["POST", "/api/v1/users", "Admin", "the tenant's", "application", "create_user"]
    assert re.split(r"\s{2,}", line) == told


async def test_a_person_who_signs_in_on_the_page_may_call(stranger: Caller) -> None:
    """What the page's script says is asked for is what the token service gives and the API accepts."""
    start = (await stranger("GET", "docs/start.js")).body.decode()
    asked = json.loads(start[start.index("initOAuth(") + 10 : start.rindex(");")])
    document = (await stranger("GET", "openapi.json")).json
    flow = document["components"]["securitySchemes"]["entra"]["flows"]["authorizationCode"]
    assert list(flow["scopes"]) == [asked["scopes"]]
    stranger.mailbox("ada@example.com")
    verifier, back = "v" * 64, "http://localhost/api/docs/oauth2-redirect.html"
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": asked["clientId"],
        "redirect_uri": back,
        "scope": asked["scopes"],
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": "ada@example.com",
        "role": "Admin",
    }
    async with httpx.AsyncClient() as browser:
        sent = await browser.get(flow["authorizationUrl"], params=query)
        returned = urlsplit(sent.headers["location"])
        code = parse_qs(returned.query)["code"][0]
        # Where the browser is sent back to is a page, whatever the token service added to its address.
        told: dict[str, Any] = dict(parse_qsl(returned.query))
        landed = await stranger("GET", returned.path.removeprefix("/api/"), **told, session_state="1")
        assert (landed.status, landed.headers["content-type"]) == (200, "text/html; charset=utf-8")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": asked["clientId"],
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        token = (await browser.post(flow["tokenUrl"], data=form)).json()["access_token"]
    caller = await stranger.app.people.tokens.validate(token)
    assert {role.value for role in caller.roles} == {"Admin"}
