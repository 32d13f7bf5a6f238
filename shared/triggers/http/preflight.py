"""Paths and methods without an operation: OPTIONS lists the methods of a path, everything else is refused.

The names matter: the host tries functions in the order of their names, and the catch-all must be the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import MethodNotAllowed, NotFound
from shared.schemas import base
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import PUBLIC, methods_of

if TYPE_CHECKING:
    from collections.abc import Sequence

endpoints = Endpoints()
_ALLOWED_HEADERS = (
    "authorization, content-type, if-match, if-none-match, idempotency-key, traceparent, tracestate, "
    "x-correlation-id, x-requested-by"
)


@endpoints.endpoint(
    "OPTIONS",
    "{*path}",
    summary="Tell the methods of a path",
    access=PUBLIC,
    status=204,
    errors=(404,),
)
async def preflight(request: Request[base.NoBody, base.AnyQuery]) -> Reply[None]:
    """The CORS headers of every answer decide whether the asking origin may read it."""
    methods = methods_of(request.relative_path)
    if not methods:
        raise NotFound("there is no such path")
    return Reply(None, headers=_headers(methods))


@endpoints.get(
    "{*path}",
    also=("POST", "PUT", "PATCH", "DELETE"),
    summary="Tell that nothing is at a path, or nothing for the method",
    access=PUBLIC,
    errors=(404, 405),
)
async def z_unserved(request: Request[base.NoBody, base.AnyQuery]) -> Reply[None]:
    """404 for an unknown path. 405 with Allow for a known one.

    If the path matches an operation but has no UUIDs, that operation refuses it (422).
    """
    methods = methods_of(request.relative_path)
    if not methods:
        raise NotFound("there is no such path")
    raise MethodNotAllowed("the path does not have this method", methods=[*methods, "OPTIONS"])


def _headers(methods: Sequence[str]) -> dict[str, str]:
    """Headers of the answer to OPTIONS."""
    offered = ", ".join([*methods, "OPTIONS"])
    return {
        "Allow": offered,
        "Access-Control-Allow-Methods": offered,
        "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
        "Access-Control-Max-Age": "600",
    }
