"""Errors in Graph's shape (graph.md, Errors): clients branch on the code, never on the message."""

import time
from datetime import UTC, datetime
from typing import Any


class GraphError(Exception):
    """A refusal as Graph words it: HTTP status, code, message, extra headers, extra members of ``error``."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.extra = extra or {}

    def body(self, request_id: str, client_request_id: str) -> dict[str, Any]:
        """The JSON document Graph answers with."""
        now = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%S")
        inner = {"date": now, "request-id": request_id, "client-request-id": client_request_id}
        return {"error": {"code": self.code, "message": self.message, **self.extra, "innerError": inner}}


class LoadError(ValueError):
    """Input to the admin routes that cannot be loaded; the message says where and why."""


def bad_request(message: str, code: str = "BadRequest") -> GraphError:
    """400 for what the protocol layer refuses."""
    return GraphError(400, code, message)


def invalid_value(message: str) -> GraphError:
    """400 ErrorPropertyValidationFailure: a property's value is refused."""
    return GraphError(
        400, "ErrorPropertyValidationFailure", f"At least one property failed validation. {message}"
    )


def invalid_body(message: str) -> GraphError:
    """400 RequestBodyRead: a property or type the schema does not know."""
    return GraphError(400, "RequestBodyRead", message)


def read_only(name: str) -> GraphError:
    """400 ErrorInvalidPropertySet: the client may not set this property."""
    return GraphError(400, "ErrorInvalidPropertySet", f"Set action is invalid for property '{name}'.")


def malformed_id() -> GraphError:
    """400 ErrorInvalidIdMalformed."""
    return GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def item_not_found() -> GraphError:
    """404 ErrorItemNotFound."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def conflict(status: int) -> GraphError:
    """409 or 412 ErrorIrresolvableConflict."""
    return GraphError(
        status,
        "ErrorIrresolvableConflict",
        "The send or update operation could not be performed because the change key passed in the request "
        "does not match the current change key for the item.",
    )


def throttled(limit: str, retry_after: int) -> GraphError:
    """429 ApplicationThrottled with Retry-After in whole seconds."""
    return GraphError(
        429,
        "ApplicationThrottled",
        f"Application is over its {limit} limit.",
        headers={"Retry-After": str(retry_after)},
    )


_DEFAULT_CODES = {
    400: "ErrorInvalidRequest",
    401: "InvalidAuthenticationToken",
    403: "ErrorAccessDenied",
    404: "ErrorItemNotFound",
    409: "ErrorIrresolvableConflict",
    410: "SyncStateNotFound",
    412: "ErrorIrresolvableConflict",
    413: "RequestEntityTooLarge",
    429: "ApplicationThrottled",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ErrorInternalServerTransientError",
    504: "GatewayTimeout",
}


def injected(status: int, code: str | None, retry_after: int | None) -> GraphError:
    """An error switched on by a fault rule, with the code Graph uses for the status unless one is given."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return GraphError(
        status, code or _DEFAULT_CODES.get(status, "UnknownError"), "Injected fault.", headers=headers
    )
