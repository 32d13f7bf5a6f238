"""The OpenAPI 3.1 description of the API, from its operations (https://spec.openapis.org)."""

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic.json_schema import models_json_schema

from shared.domain.identity.roles import Role
from shared.schemas.base import Input
from shared.schemas.problems import Problem
from shared.triggers.http import problem_responses
from shared.triggers.http.field_descriptions import describe_model, describe_query, noun_of_path
from shared.triggers.http.model_field_texts import PARAMETERS, TAGS
from shared.triggers.http.registry import PREFIX, IfMatch, Operation
from shared.triggers.http.samples import Samples

if TYPE_CHECKING:
    from pydantic import BaseModel

    from shared.settings import Settings

#: What a demonstration tenant was asked and answered (``infra/local/api_examples.py``).
#: ``answers`` and ``bodies`` are by the name of their model, ``parameters`` by the id of the operation,
#: ``problems`` by status.
_EXAMPLES: Final = Path(__file__).with_name("examples.json")
_REFERENCE: Final = "#/components/schemas/{model}"
_GENERIC: Final = re.compile(r"Page_(\w+)_")
_DESCRIPTION: Final = (
    "Archives Microsoft 365 calendars exactly once. Errors are problem details (RFC 9457). Lists are paged "
    "by cursor. A change takes `Idempotency-Key`: repeated within 24 hours it happens once and is answered "
    "the same. An update says in `If-Match` which version it is meant for."
)
#: Sub-resources with their own tag.
_TAGS_OF_PARTS: Final = {
    "runs": "archive-runs",
    "verifications": "verifications",
    "approval": "mailbox-approvals",
    "break-glass-accesses": "break-glass-accesses",
    "calendars": "calendars",
    "erasures": "user-erasures",
    "exports": "user-exports",
}


class Description:
    """Builds the document once."""

    def __init__(self, operations: Iterable[Operation], settings: "Settings") -> None:
        self._operations = [each for each in operations if each.is_described]
        self._settings = settings
        self._references: dict[tuple[Any, str], dict[str, Any]] = {}
        self._schemas: dict[str, Any] = {}
        self._queries: dict[str, Any] = {}
        self._taken: dict[str, dict[str, Any]] = json.loads(_EXAMPLES.read_text(encoding="utf-8"))

    def document(self) -> dict[str, Any]:
        """The whole document, ready to be written as JSON."""
        self._read_models()
        for name, schema in self._schemas.items():
            describe_model(name, schema)
        for reference, schema in self._queries.items():
            describe_query(reference.removeprefix(_REFERENCE.format(model="")), schema)
        samples = Samples(self._schemas)
        taken = self._taken["answers"] | self._taken["bodies"]
        for name, schema in self._schemas.items():
            if name in taken:
                schema["examples"] = [taken[name]]
            elif "properties" in schema:
                schema.setdefault("examples", [samples.of(schema)])
        schema_of_problems = self._references[Problem, "serialization"]
        paths: dict[str, dict[str, Any]] = {}
        for operation in self._operations:
            path = paths.setdefault(f"/{PREFIX}/{operation.route}", {})
            path[operation.method.lower()] = self._operation(operation)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Admin Assistant",
                "version": "1",
                "description": _DESCRIPTION,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": name, "description": TAGS.get(name, "")} for name in self._tags()],
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": dict(sorted(self._schemas.items())),
                "responses": {
                    problem_responses.component_name(status): problem_responses.response(
                        status, schema_of_problems, self._taken["problems"].get(str(status))
                    )
                    for status in problem_responses.MEANINGS
                },
                "headers": _HEADERS,
                "securitySchemes": self._security_schemes(),
            },
        }

    def _tags(self) -> list[str]:
        return sorted({_tag(each) for each in self._operations})

    def _read_models(self) -> None:
        wanted: dict[tuple[type[BaseModel], Any], None] = {(Problem, "serialization"): None}
        for operation in self._operations:
            for model in (operation.body, operation.query):
                if model is not None:
                    wanted[model, "validation"] = None
            if operation.response is not None:
                wanted[operation.response, "serialization"] = None
        references, schema = models_json_schema(list(wanted), ref_template=_REFERENCE)
        self._references = {key: _renamed(value) for key, value in references.items()}
        queries = {
            self._references[model, "validation"]["$ref"]
            for model, _ in wanted
            if issubclass(model, Input) and model in [each.query for each in self._operations]
        }
        self._queries = {
            reference: _renamed(schema["$defs"][_original(reference, schema["$defs"])])
            for reference in queries
        }
        self._schemas = {
            _GENERIC.sub(r"\1Page", name): _renamed(inner)
            for name, inner in schema["$defs"].items()
            if _REFERENCE.format(model=_GENERIC.sub(r"\1Page", name)) not in queries
        }

    def _operation(self, operation: Operation) -> dict[str, Any]:
        described: dict[str, Any] = {
            "operationId": operation.id,
            "summary": operation.summary,
            "description": operation.description,
            "tags": [_tag(operation)],
            "parameters": self._parameters(operation),
            "responses": self._responses(operation),
        }
        if operation.body is not None:
            described["requestBody"] = {
                "required": not operation.body_optional,
                "content": {"application/json": {"schema": self._references[operation.body, "validation"]}},
            }
        if operation.roles is None:
            described["security"] = []
        else:
            described["security"] = [{name: []} for name in self._security_schemes()]
            described["x-roles"] = [role.value for role in Role if role in operation.roles]
        described["x-ownership"] = operation.ownership.value
        described["x-graph-access"] = operation.graph.value
        if operation.order:
            described["x-order"] = list(operation.order)
        return described

    def _parameters(self, operation: Operation) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [
            _in_path(name, {"type": "string", "format": "uuid"}, _id_text(operation, name))
            for name in operation.parameters
        ]
        found += [
            _in_path(name, {"type": "string", "pattern": pattern}, PARAMETERS.get(name))
            for name, pattern in operation.texts.items()
        ]
        if operation.query is not None:
            found += self._query(operation)
        if operation.if_match is not IfMatch.UNUSED:
            found.append(_IF_MATCH | {"required": operation.if_match is IfMatch.REQUIRED})
        if operation.changes:
            found.append(_IDEMPOTENCY_KEY)
        return found

    def _query(self, operation: Operation) -> list[dict[str, Any]]:
        schema = self._queries[self._references[operation.query, "validation"]["$ref"]]
        taken = self._taken["parameters"].get(operation.id, {})
        required = schema.get("required", [])
        samples = Samples(self._schemas)
        found = []
        for name, inner in schema.get("properties", {}).items():
            described = _without_null(inner)
            parameter: dict[str, Any] = {
                "name": name,
                "in": "query",
                "required": name in required,
                "schema": described,
            }
            if name in required:
                parameter["example"] = taken[name] if name in taken else samples.of(described, name)
            if told := described.pop("description", None):
                parameter["description"] = told
            found.append(parameter)
        return found

    def _responses(self, operation: Operation) -> dict[str, Any]:
        responses = {str(operation.status): self._success(operation)}
        for status in sorted(self._errors(operation)):
            responses[str(status)] = {
                "$ref": f"#/components/responses/{problem_responses.component_name(status)}"
            }
        return responses | self._other_successes(operation)

    def _other_successes(self, operation: Operation) -> dict[str, Any]:
        """Readiness answers 503 with its own document, not with a problem."""
        if operation.id != "health_ready":
            return {}
        return {"503": self._success(operation) | {"description": "A dependency fails."}}

    def _success(self, operation: Operation) -> dict[str, Any]:
        names = ["x-correlation-id", "traceparent"]
        if operation.status in problem_responses.WITH_RETRY_AFTER:
            names.append("Retry-After")
        if operation.status in (201, 202):
            names.append("Location")
        if _versioned(operation):
            names.append("ETag")
        described: dict[str, Any] = {
            "description": HTTPStatus(operation.status).phrase,
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}
            | {
                name: {"description": meaning, "schema": {"type": "string"}}
                for name, meaning in operation.response_headers.items()
            },
        }
        if operation.response is not None:
            schema = self._references[operation.response, "serialization"]
            described["content"] = {operation.media_type: {"schema": schema}}
            described["content"] |= {kind: {"schema": {}} for kind in operation.other_media_types}
        elif operation.status != HTTPStatus.NO_CONTENT:
            kinds = (operation.media_type, *operation.other_media_types)
            described["content"] = {kind: {"schema": {}} for kind in kinds}
        links = self._links(operation)
        return described | ({"links": links} if links else {})

    def _links(self, operation: Operation) -> dict[str, Any]:
        """From an answer with a resource, or a page of them, to the operations on the (first) resource."""
        resource, pointer = _resource_of(operation)
        home = resource and next(
            (
                each.route
                for each in self._operations
                if each.method == "GET"
                and each.route.endswith("/{id}")
                and each.response is not None
                and issubclass(each.response, resource)
            ),
            None,
        )
        links: dict[str, Any] = {}
        for target in self._operations if home else ():
            if not target.route.startswith(str(home)) or target.id == operation.id:
                continue
            parameters = {"path.id": f"$response.body#{pointer}/id"}
            if target.if_match is not IfMatch.UNUSED and pointer == "" and _versioned(operation):
                parameters["header.If-Match"] = "$response.header.ETag"
            links[target.id] = {"operationId": target.id, "parameters": parameters}
        return links

    def _errors(self, operation: Operation) -> set[int]:
        found = {422, 500, 503, *operation.errors}
        if operation.roles is not None:
            found |= {401, 403, 429}
        if operation.changes:
            found |= {400, 409, 413}
        if operation.body is not None:
            found |= {400, 413, 415}
        if operation.if_match is not IfMatch.UNUSED:
            found |= {400, 412}
        if operation.if_match is IfMatch.REQUIRED:
            found.add(428)
        return found

    def _security_schemes(self) -> dict[str, Any]:
        schemes: dict[str, Any] = {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An access token of Microsoft Entra ID for this API.",
            }
        }
        if self._settings.tenant_id is not None:
            base = f"{self._settings.authority}/{self._settings.tenant_id}/oauth2/v2.0"
            schemes["entra"] = {
                "type": "oauth2",
                "description": "Sign in as yourself: leave client_secret empty, keep the scope chosen.",
                "flows": {
                    "authorizationCode": {
                        "authorizationUrl": f"{base}/authorize",
                        "tokenUrl": f"{base}/token",
                        "scopes": {user_scope(self._settings): "Act as the signed-in person."},
                    }
                },
            }
        return schemes


def _in_path(name: str, schema: dict[str, Any], text: str | None) -> dict[str, Any]:
    described = {"name": name, "in": "path", "required": True, "schema": schema}
    return described | ({"description": text} if text else {})


def _id_text(operation: Operation, name: str) -> str:
    """Whose id stands in the path: of one of the list that is named before it."""
    nouns = [noun_of_path(part) for part in operation.route.split("/")]
    place = operation.route.split("/").index(f"{{{name}}}")
    within = "" if name == "id" else f" within the {nouns[place - 3]}"
    return f"Id of the {nouns[place - 1]}{within}."


def user_scope(settings: "Settings") -> str:
    """The scope of a person's token, in the form of a request."""
    audience = settings.api_audience.partition(",")[0].strip()
    return f"{audience if '://' in audience else f'api://{audience}'}/access_as_user"


def _renamed(schema: Any) -> Any:
    """The schema with readable names of generic models: ``UserResourcePage`` for ``Page_UserResource_``."""
    if isinstance(schema, Mapping):
        return {
            key: _GENERIC.sub(r"\1Page", value) if key == "$ref" else _renamed(value)
            for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [_renamed(each) for each in schema]
    return schema


def _original(reference: str, definitions: Mapping[str, Any]) -> str:
    return next(
        name for name in definitions if _REFERENCE.format(model=_GENERIC.sub(r"\1Page", name)) == reference
    )


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter is given or not. It cannot be null."""
    described = {key: value for key, value in schema.items() if key not in ("anyOf", "title")}
    if described.get("default", "") is None:
        del described["default"]
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(choices) == 1:
        return {**choices[0], **described}
    return described | ({"anyOf": choices} if choices else {})


def _versioned(operation: Operation) -> bool:
    return operation.response is not None and "version" in operation.response.model_fields


def _resource_of(operation: Operation) -> "tuple[type[BaseModel] | None, str]":
    """The model with an id in an answer, and the JSON pointer to (the first of) it."""
    model, pointer = operation.response, ""
    if model is not None and "items" in model.model_fields:
        model, pointer = get_args(model.model_fields["items"].annotation)[0], "/items/0"
    return (model if model is not None and "id" in model.model_fields else None), pointer


def _tag(operation: Operation) -> str:
    first, _, below = operation.route.removeprefix("v1/").partition("/")
    return _TAGS_OF_PARTS.get(below.removeprefix("{id}/").partition("/")[0], first.removesuffix(".json"))


_IF_MATCH: Final[dict[str, Any]] = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the resource as it was read. `*` means whatever its version is.",
    "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}"(, "[0-9]{1,18}")*)$'},
}
_IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Chosen by the caller, unique for the change; repeated, the change happens once.",
    "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
}
_HEADERS: Final[dict[str, Any]] = {
    "x-correlation-id": {
        "description": "Names the request in logs and audit; the caller's own if sent.",
        "schema": {"type": "string"},
    },
    "traceparent": {
        "description": "Where the request stands in a distributed trace (W3C Trace Context).",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The version of the resource, for If-Match.",
        "schema": {"type": "string", "pattern": r'^"[0-9]{1,18}"$'},
    },
    "Location": {
        "description": "Path of what was made, or of what carries the request out.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "After how many seconds to ask again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "WWW-Authenticate": {
        "description": "Why the access token was refused (RFC 6750).",
        "schema": {"type": "string"},
    },
}
