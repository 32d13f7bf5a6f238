"""Errors as RFC 9457 problem details. They never show internal details."""

import random
from base64 import b64encode
from collections.abc import Mapping
from math import ceil

from shared.errors import (
    AdminAssistantError,
    InteractionRequired,
    LimitReached,
    MethodNotAllowed,
    RateLimited,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from shared.schemas import problems

MEDIA_TYPE = "application/problem+json"
#: The page with each code's cause and remedy (RFC 9457, 3.1.1: a reference that resolves).
ERRORS_PAGE = "/api/docs/errors"
_MOST_ERRORS = 100


def describe(error: AdminAssistantError, *, instance: str, correlation_id: str) -> "problems.Problem":
    """The problem document of an error at a path."""
    fields = error.errors[:_MOST_ERRORS] if isinstance(error, ValidationFailed) else ()
    limit = (
        problems.ReachedLimit(name=error.limit, value=error.value)
        if isinstance(error, LimitReached | RateLimited)
        else None
    )
    return problems.Problem(
        type=f"{ERRORS_PAGE}#{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        instance=instance,
        code=error.code,
        correlation_id=correlation_id,
        errors=tuple(problems.FieldProblem(field=e.field, message=e.message, code=e.code) for e in fields),
        limit=limit,
        resource_id=error.resource_id,
    )


def headers_of(error: AdminAssistantError) -> Mapping[str, str]:
    """``WWW-Authenticate`` (RFC 6750), ``Allow``, and ``Retry-After`` in seconds, jittered."""
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        challenge = 'Bearer realm="admin-assistant"'
        if isinstance(error, InteractionRequired):
            # Entra's claims challenge, which MSAL in the person's application understands.
            claims = b64encode(error.claims.encode()).decode("ascii")
            challenge += f', error="insufficient_claims", claims="{claims}"' if claims else ""
        if error.code == "invalid_token":
            challenge += f', error="invalid_token", error_description="{error.detail}"'
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.methods)
    if error.retry_after is not None:
        headers["Retry-After"] = str(_spread(error.retry_after))
    return headers


def _spread(seconds: float) -> int:
    """Whole seconds, up to 50% longer, so that callers who are refused together do not return together."""
    shortest = max(1, ceil(seconds))
    return shortest + random.randint(0, max(1, shortest // 2))


def unexpected() -> AdminAssistantError:
    """The answer to an error that is not one of the product's."""
    return AdminAssistantError("something went wrong on our side; the correlation id names the log entry")


def translate(error: Exception) -> AdminAssistantError | None:
    """The product's error for an exception of an infrastructure library. None if it is our defect."""
    if isinstance(error, AdminAssistantError):
        return error
    if isinstance(error, TimeoutError | ConnectionError):
        return Unavailable("a system that the answer needs is away or busy", retry_after=2)
    return None
