"""Gives the requests that are meant to succeed what no schema can tell: mailboxes and resources that exist.

Loaded by Schemathesis in a process of its own; ``CONTRACT_SEED`` says what there is.
"""

import itertools
import json
import os
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis.generation.meta import TestPhase

_SEED: dict[str, Any] = json.loads(os.environ.get("CONTRACT_SEED", "{}"))
_STRANGERS: Iterator[str] = itertools.cycle(_SEED.get("strangers", ["nobody@example.com"]))
_ENTITY_TAGS = re.compile(r'\*|"[0-9]{1,18}"(, "[0-9]{1,18}")*')
_KINDS = (
    ("/users/", "user"),
    ("/archive-configurations/", "configuration"),
    ("/archive-runs/", "run"),
    ("/local-calendars/", "local_calendar"),
    ("/verifications/", "verification"),
    ("/tenants/", "tenant"),
    ("/invitations/", "invitation"),
)
#: What an Admin does for a person whom the body names.
_OF_SOMEBODY = {
    *("create_category", "create_missing_categories", "create_category_rule"),
    "apply_category_suggestions",
}
_ID = re.compile(r'"id": ?"([0-9a-f-]{36})"')
_SEEN: set[str] = set()
_TURNS = itertools.count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Every second positive request meets what exists; the others go out as they were generated."""
    meta = case.meta
    if case.method.upper() == "DELETE" and case.path_parameters.get("id") == _SEED["configuration"]:
        # Everything else continues from it.
        case.path_parameters["id"] = str(uuid4())
    if meta is None or not meta.generation.mode.is_positive:
        return
    linked = case.path_parameters and case.path_parameters.get("id") in _SEEN
    if not linked and (meta.phase.name == TestPhase.STATEFUL or next(_TURNS) % 2 == 0):
        _path(case)
    _header(case)
    _body(case)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Remember what was made, because a link may start from it."""
    if response.status_code in (200, 201, 202):
        _SEEN.update(_ID.findall(response.content.decode(errors="replace")))


def _path(case: Any) -> None:
    if case.method.upper() == "DELETE":
        return
    for prefix, name in _KINDS:
        if f"{prefix}{{id}}" in case.path:
            case.path_parameters["id"] = _SEED[name]
    if "{event_id}" in case.path:
        case.path_parameters["event_id"] = _SEED["local_event"]
    if case.query and "user_id" in case.query:
        case.query["user_id"] = _SEED["user"]


def _header(case: Any) -> None:
    """The generator also sends a bare ``0``, which its own reading of the pattern does not allow."""
    if case.headers and not _ENTITY_TAGS.fullmatch(case.headers.get("If-Match", "*")):
        case.headers["If-Match"] = "*"


def _body(case: Any) -> None:
    body = case.body
    if not isinstance(body, dict):
        return
    operation = case.operation.definition.raw.get("operationId")
    if operation == "create_user":
        body["address"] = next(_STRANGERS)
        body.pop("object_id", None)
    elif operation in _OF_SOMEBODY:
        body["user_id"] = _SEED["user"]
        for field in ("name", "category"):
            if field in body:
                body[field] = f"Customer {next(_TURNS)} - billable"
    elif operation == "request_user_export":
        # Nobody has an emergency access here, without which an Admin gets no private events.
        body.pop("private_events", None)
    elif operation == "start_backfill":
        # A few months are as good as two centuries of them.
        body["archive_from"] = "2026-01-01"
    elif operation == "create_archive_configuration":
        body |= {
            "user_id": _SEED["user"],
            "source": f"msgraph://{_SEED['address']}/calendar",
            "archive": f"msgraph://{_SEED['address']}/calendars/Archive",
            "time_zone": "Europe/Berlin",
            "purpose": "general",
            "archive_from": "2026-01-01",
        }
