"""Conditions on a change: the expected version, and the key that prevents repetition."""

import re
from collections.abc import Mapping
from typing import Final

from shared.domain.expected_version import ANY_VERSION, ExpectedVersion
from shared.errors import InvalidRequest, PreconditionRequired
from shared.triggers.http.registry import IfMatch, Operation

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TAG = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_ONE_TAG: Final = re.compile(_TAG)
_TAGS: Final = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")


def read_idempotency_key(operation: Operation, headers: Mapping[str, str]) -> str | None:
    """The key of a change. None without one, and for reads. Raises InvalidRequest (400)."""
    key = headers.get("idempotency-key")
    if key is None or not operation.changes:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequest(
            "Idempotency-Key must have 1 to 255 printable ASCII characters and no space",
            code="idempotency_key_invalid",
        )
    return key


def read_if_match(operation: Operation, headers: Mapping[str, str]) -> ExpectedVersion:
    """The versions that If-Match accepts (RFC 9110, 13.1.1). A weak tag matches none.

    Raises PreconditionRequired (428) if the operation needs one, and InvalidRequest (400).
    """
    given = headers.get("if-match")
    if operation.if_match is IfMatch.UNUSED:
        return ANY_VERSION
    if given is None:
        if operation.if_match is IfMatch.REQUIRED:
            raise PreconditionRequired("send If-Match with the ETag of the resource as you read it")
        return ANY_VERSION
    if given.strip() == "*":
        return ANY_VERSION
    if not _TAGS.fullmatch(given):
        raise InvalidRequest('If-Match must be * or entity tags like "7"', code="if_match_invalid")
    return ExpectedVersion.of(tag for weak, tag in _ONE_TAG.findall(given) if not weak)
