"""Problems in the API's description: a response for each status, with an example (RFC 9457)."""

import re
from http import HTTPStatus
from typing import Any, Final

from shared import errors
from shared.triggers.http import problem

#: What each status means.
MEANINGS: Final = {
    400: "The request cannot be read.",
    401: "No acceptable access token.",
    403: "The caller's role does not allow it, or the caller is deactivated.",
    404: "There is no such resource, or none the caller may know of.",
    405: "The path does not have this method.",
    409: "The state of the resource does not allow it, or the same request is being worked on.",
    412: "The resource was changed since it was read.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "Fields break a rule; `errors` names each. `limit` says which limit of a person is reached.",
    428: "If-Match is missing.",
    429: "Too many requests of this caller; `Retry-After` says when to come back.",
    500: "Something went wrong on our side.",
    502: "Microsoft Graph refused.",
    503: "A system that the answer needs is away; `Retry-After` says when to come back.",
}
#: The usual code and title of each status.
_KINDS: Final = {
    kind.status: (kind.code, kind.title)
    for kind in (
        *(errors.AdminAssistantError, errors.InvalidRequest, errors.ValidationFailed),
        *(errors.Unauthenticated, errors.Forbidden, errors.NotFound, errors.MethodNotAllowed),
        *(errors.Conflict, errors.PreconditionFailed, errors.PayloadTooLarge, errors.PreconditionRequired),
        *(errors.RateLimited, errors.Unavailable, errors.StoreRefused),
    )
}
#: Statuses whose answers say when to retry.
WITH_RETRY_AFTER: Final = (202, 409, 429, 503)


def response(status: int, schema: dict[str, Any], example: dict[str, Any] | None) -> dict[str, Any]:
    """The response object of a status. ``schema`` is that of problems, ``example`` one that was seen."""
    names = ["x-correlation-id", "traceparent"]
    names += ["Retry-After"] if status in WITH_RETRY_AFTER else []
    names += ["WWW-Authenticate"] if status == HTTPStatus.UNAUTHORIZED else []
    return {
        "description": MEANINGS[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {
            problem.MEDIA_TYPE: {
                "schema": schema,
                "example": example or _example(status),
            }
        },
    }


def component_name(status: int) -> str:
    """The name of a status's response, such as ``NotFound``."""
    return "".join(word.capitalize() for word in re.findall(r"\w+", HTTPStatus(status).phrase.lower()))


def _example(status: int) -> dict[str, Any]:
    fields = [{"field": "address", "message": "there is no such mailbox", "code": "mailbox_unknown"}]
    code, title = _KINDS.get(status, ("unsupported_media_type", "Unsupported media type"))
    return {
        "type": f"{problem.ERRORS_PAGE}#{code}",
        "title": title,
        "status": status,
        "detail": MEANINGS[status],
        "instance": "/api/v1/users",
        "code": code,
        "correlation_id": "8f14e45f-ceea-467f-a0e6-0d4b0a5f1c55",
        "errors": fields if status == HTTPStatus.UNPROCESSABLE_ENTITY else [],
        "limit": {"name": "requests_per_second", "value": 20.0} if code == errors.RateLimited.code else None,
        "resource_id": None,
    }
