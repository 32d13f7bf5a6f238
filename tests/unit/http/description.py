"""What the lint of the API's description refuses."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import function_app
from shared.triggers.http.docs import described
from tests.support.settings import make_settings

#: Names whose values are a known few: a client is told all of them.
_ENUMERATIONS: Final = frozenset(
    {
        *("action", "audience", "billing_type", "body_type", "category_status", "importance", "kind", "mode"),
        *(
            "outcome",
            "overlap_policy",
            "purpose",
            "question",
            "relation",
            "resource_type",
            "response",
            "role",
        ),
        *("sensitivity", "show_as", "special", "status", "step", "store", "verdict"),
    }
)
#: Where Outlook or Microsoft Graph adds to the values, or HTTP does.
_OPEN: Final = frozenset({("Problem", "status")})
#: What the audit keeps of a change is whatever the field held.
_ANYTHING: Final = frozenset(
    {("FieldChange", "before"), ("FieldChange", "after"), ("AuditEntryResource", "details")}
)
#: Documents of ours, sections of them, and names of the code mean nothing to a client.
_INSIDE: Final = re.compile(r"\.md\b|\(\d+\.\d+|``|domain\.md|\bRFC 9457, |:class:|:func:")
#: One name for one thing: what was renamed does not come back.
_FORMER: Final = frozenset(
    {
        *("state", "why_not", "closed_reason", "error_code", "error_detail", "failure", "range_start"),
        *(
            "range_end",
            "percent",
            "class",
            "on_behalf_of",
            "uncategorised",
            "found_at",
            "invited_by",
            "added_by",
        ),
    }
)
#: Everybody is "they".
_GENDERED: Final = re.compile(r"\b(?:he|him|his|himself|she|her|hers|herself)\b", re.IGNORECASE)
#: Words that say nothing alone: with only the name they are no description.
_EMPTY: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "for",
        "is",
        "it",
        "its",
        "this",
        "that",
        "or",
        "and",
        "if",
        "resource",
        "value",
        "field",
    ]
)
_WORD: Final = re.compile(r"[a-z]+")
_PREFIX: Final = "#/components/schemas/"


def document() -> dict[str, Any]:
    """The description of this app."""
    assert function_app.app
    found: dict[str, Any] = json.loads(described(make_settings()))
    return found


def faults(found: dict[str, Any]) -> list[str]:
    """What is wrong with a description, one line each."""
    return [*_of_operations(found), *_of_schemas(found), *_of_texts(found), *_of_repetitions(found)]


def _of_operations(found: dict[str, Any]) -> Iterator[str]:
    tags = {tag["name"]: tag.get("description") for tag in found["tags"]}
    yield from (f"tag {name}: no description" for name, text in tags.items() if not text)
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            where = f"{method.upper()} {path}"
            yield from (f"{where}: unknown tag {tag}" for tag in operation["tags"] if tag not in tags)
            for parameter in operation["parameters"]:
                name = f"{where}, {parameter['in']} {parameter['name']}"
                if not parameter.get("description"):
                    yield f"{name}: no description"
                if parameter["name"] in _FORMER:
                    yield f"{name}: has another name everywhere else"
                if parameter["name"] == "If-Match" and "example" in parameter:
                    yield f"{name}: an example that is sent as it is overwrites whatever is there"


def _of_schemas(found: dict[str, Any]) -> Iterator[str]:
    schemas = found["components"]["schemas"]
    for model, schema in schemas.items():
        for name, inner in schema.get("properties", {}).items():
            where = f"{model}.{name}"
            if not inner.get("description"):
                yield f"{where}: no description"
            elif not inner["description"].rstrip().endswith((".", ")")):
                yield f"{where}: its description is no sentence"
            if name in _FORMER:
                yield f"{where}: has another name everywhere else"
            if name in _ENUMERATIONS and (model, name) not in _OPEN and _is_free_text(schemas, inner):
                yield f"{where}: its values are no enumeration"
            if (model, name) not in _ANYTHING and _is_anything(schemas, inner):
                yield f"{where}: has no schema"


def _of_texts(found: dict[str, Any]) -> Iterator[str]:
    for where, text in _texts(found, ""):
        if _INSIDE.search(text):
            yield f"{where}: speaks of what a client does not have: {text[:80]}"
        if _GENDERED.search(text):
            yield f"{where}: everybody is they: {text[:80]}"


def _of_repetitions(found: dict[str, Any]) -> Iterator[str]:
    """Descriptions that say no more than the name, and lists of values that nothing explains."""
    for model, schema in found["components"]["schemas"].items():
        if not schema.get("description"):
            yield f"{model}: no description"
        for name, inner in schema.get("properties", {}).items():
            if _repeats(name, inner.get("description", "")):
                yield f"{model}.{name}: its description repeats its name"
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                if _repeats(parameter["name"], parameter.get("description", "")):
                    yield f"{method.upper()} {path}, {parameter['name']}: its description repeats its name"


def _repeats(name: str, text: str) -> bool:
    words = set(_WORD.findall(text.lower())) - _EMPTY
    return bool(text) and words <= {*_WORD.findall(name.lower()), *(f"{part}s" for part in name.split("_"))}


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("description", "summary") and isinstance(inner, str):
                yield where, inner
            else:
                yield from _texts(inner, f"{where}/{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{where}/{number}")


def _choices(schemas: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in schema:
        return _choices(schemas, schemas[schema["$ref"].removeprefix(_PREFIX)])
    inner = schema.get("anyOf") or schema.get("oneOf")
    return [each for choice in inner for each in _choices(schemas, choice)] if inner else [schema]


def _is_free_text(schemas: dict[str, Any], schema: dict[str, Any]) -> bool:
    return any(
        each.get("type") == "string" and "enum" not in each and "const" not in each
        for each in _choices(schemas, schema)
    )


def _is_anything(schemas: dict[str, Any], schema: dict[str, Any]) -> bool:
    return any(
        not ({"type", "enum", "const"} & each.keys())
        or (each.get("type") == "object" and each.get("additionalProperties") is True)
        for each in _choices(schemas, schema)
    )
