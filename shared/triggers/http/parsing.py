"""Parses the bytes of a request into typed values. Every refusal names the field."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import orjson

from shared.errors import FieldError, InvalidRequest, PayloadTooLarge, ValidationFailed

if TYPE_CHECKING:
    from azure.functions import HttpRequest
    from pydantic import ValidationError

    from shared.schemas.base import Input

#: The deepest permitted nesting of arrays and objects.
MAX_DEPTH = 32
_MOST_ERRORS = 100
_LONGEST_NAME = 200
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# A string that has begun always matches, to its end or to the end of the text. So no quote is read twice.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_JSON_TYPES = re.compile(r"application/(?:[\w.-]+\+)?json\s*+(?:;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)


class UnsupportedMediaType(InvalidRequest):
    """The body is not declared as JSON in UTF-8."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class RepeatedKey(ValidationFailed):
    """A JSON object has a key twice, so readers may disagree about its meaning (RFC 8259, 4)."""

    status = 400
    code = "json_key_repeated"
    title = "Invalid request"


class _Repeated(Exception):
    """Stops reading at the first key that an object has twice."""


def read_body[Model: "Input"](
    request: "HttpRequest", model: type[Model], limit: int, *, optional: bool
) -> Model:
    """The body as the model.

    Raises PayloadTooLarge (413), UnsupportedMediaType (415), InvalidRequest (400: no JSON, too deep, or a
    missing body), RepeatedKey (400) and ValidationFailed (422, naming each invalid field).
    """
    from pydantic import ValidationError

    raw = raw_body(request, limit)
    if not raw:
        if not optional:
            raise InvalidRequest("a JSON body is needed", code="body_missing")
        raw = b"{}"
    elif not _JSON_TYPES.fullmatch(request.headers.get("content-type", "").strip()):
        raise UnsupportedMediaType("the body must be application/json")
    if deeper_than(raw, MAX_DEPTH):
        raise InvalidRequest(f"the JSON is nested deeper than {MAX_DEPTH} levels", code="json_too_deep")
    if (repeated := repeated_key(raw)) is not None:
        raise RepeatedKey([FieldError(repeated[:_LONGEST_NAME], "must be given once", "repeated")])
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, _parsed(raw))) from None


def _parsed(raw: bytes) -> Any:
    """The JSON as it is, after a model refused it. pydantic alone would accept NaN as JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise InvalidRequest("the body is not JSON in UTF-8", code="json_invalid") from None


def query_of(request: "HttpRequest") -> dict[str, str]:
    """The parameters as they were sent. The host drops empty ones and joins equal names with commas.

    Raises ValidationFailed (422) for a parameter that comes twice.
    """
    if "?" not in request.url:
        return {}
    try:
        pairs = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    except ValueError:
        return dict(request.params)
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise ValidationFailed([FieldError(name[:_LONGEST_NAME], "must be given once", "repeated")])
        found[name] = value
    return found


def read_query[Model: "Input"](parameters: Mapping[str, str], model: type[Model]) -> Model:
    """The query as the model. Raises ValidationFailed (422), also for unknown parameters."""
    from pydantic import ValidationError

    try:
        return model.model_validate_strings(dict(parameters))
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, dict(parameters), in_query=True)) from None


def is_id(text: str) -> bool:
    """True for a UUID in its usual form, 36 characters with hyphens."""
    return _UUID.fullmatch(text) is not None


def read_path(parameters: Mapping[str, str], names: Sequence[str]) -> dict[str, UUID]:
    """The ids of the path. Raises ValidationFailed (422) naming a parameter that is no UUID."""
    broken = [name for name in names if not is_id(parameters.get(name, ""))]
    if broken:
        raise ValidationFailed(
            [
                FieldError(name, "must be an id such as 6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "id_invalid")
                for name in broken
            ]
        )
    return {name: UUID(parameters[name]) for name in names}


def deeper_than(raw: bytes, depth: int) -> bool:
    """True if JSON text nests arrays and objects deeper than this. Brackets in strings do not count."""
    if raw.count(b"[") + raw.count(b"{") <= depth:
        return False
    level = 0
    for found in _STRING_OR_BRACKET.finditer(raw):
        token = found.group()
        if token in (b"[", b"{"):
            level += 1
            if level > depth:
                return True
        elif token in (b"]", b"}"):
            level -= 1
    return False


def repeated_key(raw: bytes) -> str | None:
    """A key that an object of the JSON text has twice. None without one, and for unreadable text."""
    try:
        # Numbers are left as text. They are not needed here, and long ones take time.
        json.loads(raw.decode(), object_pairs_hook=_unrepeated, parse_int=len, parse_float=len)
    except _Repeated as found:
        return str(found)
    except (ValueError, RecursionError):
        return None
    return None


def _unrepeated(pairs: Sequence[tuple[str, Any]]) -> None:
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            # A lone surrogate cannot be part of an answer.
            raise _Repeated(name.encode(errors="replace").decode())
        names.add(name)


def field_errors(error: "ValidationError", given: Any, *, in_query: bool = False) -> list[FieldError]:
    """pydantic's errors as ours: dotted paths as the caller wrote them, no values, codes of ours."""
    from shared.triggers.http.field_messages import code_of, message_of

    found = error.errors(include_url=False)[:_MOST_ERRORS]
    return [
        FieldError(
            _path([*each["loc"], *_field_of(each.get("ctx"))], given),
            message_of(each, in_query=in_query),
            code_of(each, in_query=in_query),
        )
        for each in found
    ]


def _field_of(context: Mapping[str, Any] | None) -> list[str]:
    """The field that a rule over several fields names."""
    return [context["field"]] if context and "field" in context else []


def _path(location: Sequence[str | int], given: Any) -> str:
    """The dotted path without the chosen member of a union, which pydantic adds and nobody wrote."""
    parts: list[str] = []
    for position, step in enumerate(location):
        last = position == len(location) - 1
        if isinstance(given, dict) and step not in given and not last:
            continue
        parts.append(str(step)[:_LONGEST_NAME])
        if isinstance(given, dict):
            given = given.get(step)
        elif isinstance(given, list) and isinstance(step, int) and step < len(given):
            given = given[step]
    return ".".join(parts) or "body"


def raw_body(request: "HttpRequest", limit: int) -> bytes:
    """The unchanged body. Raises PayloadTooLarge (413)."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise PayloadTooLarge(f"the body may have {limit} bytes at most")
    raw = request.get_body() or b""
    if len(raw) > limit:
        raise PayloadTooLarge(f"the body may have {limit} bytes at most")
    return raw
