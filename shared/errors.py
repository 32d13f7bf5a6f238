"""The product's errors, each with the HTTP status and code of its answer.

AdminAssistantError
├ InvalidRequest 400          malformed: not JSON, wrong content type of values
│ └ ValidationFailed 422      well formed, but fields break a rule (``errors`` names each field)
│   ├ ArchiveInUse 422        another configuration has the same source and archive
│   └ LimitReached 422        the person has as many as their tenant allows (``limit``, ``value``)
├ Unauthenticated 401
│ └ InteractionRequired 401   the person must sign in again; ``claims`` is what the token service asks for
├ Forbidden 403
│ └ ConsentRequired 403       the person has not yet agreed to what we would do in their name
├ NotFound 404                also for what the caller may not know exists
├ MethodNotAllowed 405
├ Conflict 409
│ └ RunInProgress 409
├ PreconditionFailed 412
├ PayloadTooLarge 413
├ PreconditionRequired 428    a change without the version it is meant for
├ RateLimited 429
├ Unavailable 503             a dependency is away; ``retry_after`` says when to come back
│ └ StoreUnavailable 503
└ StoreRefused 502            a mailbox or the directory answered with an error that a retry cannot fix
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field. ``field`` is a dotted path, ``code`` is for programs."""

    field: str
    message: str
    code: str = "invalid"


class AdminAssistantError(Exception):
    """The base of every error of the product. ``detail`` is safe to show to the caller."""

    status = 500
    code = "internal_error"
    title = "Internal error"

    def __init__(self, detail: str, *, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        #: The id of the existing resource, if the caller may know it.
        self.resource_id: str | None = None
        if code is not None:
            self.code = code


class InvalidRequest(AdminAssistantError):
    """The request could not be read."""

    status = 400
    code = "invalid_request"
    title = "Invalid request"


class ValidationFailed(InvalidRequest):
    """The request was read, but fields break a rule."""

    status = 422
    code = "validation_failed"
    title = "Validation failed"

    def __init__(self, errors: Sequence[FieldError], detail: str | None = None) -> None:
        self.errors = tuple(errors)
        super().__init__(detail or "; ".join(f"{e.field}: {e.message}" for e in self.errors))


class ArchiveInUse(ValidationFailed):
    """Another configuration archives the same source into the same calendar (domain.md 2.19)."""

    code = "archive_in_use"
    title = "Archive in use"

    def __init__(self, message: str) -> None:
        super().__init__([FieldError("archive", message, self.code)])


class LimitReached(ValidationFailed):
    """The person has as many as their tenant allows (domain.md 6.6).

    ``limit`` is the system setting, ``value`` the value in force, ``field`` where the request names the
    person.
    """

    code = "limit_reached"
    title = "Limit reached"

    def __init__(self, field: str, limit: str, value: int, what: str) -> None:
        self.limit = limit
        self.value = value
        self.what = what
        message = f"this person has reached the limit of {value} {what} ({limit})"
        super().__init__([FieldError(field, message, self.code)])

    def at(self, field: str) -> "LimitReached":
        """The same limit for another field."""
        return LimitReached(field, self.limit, self.value, self.what)


class Unauthenticated(AdminAssistantError):
    """No valid token."""

    status = 401
    code = "unauthenticated"
    title = "Authentication required"


class InteractionRequired(Unauthenticated):
    """The token service requires the person. Their next sign-in must meet ``claims`` (JSON)."""

    code = "interaction_required"
    title = "Sign in again"

    def __init__(self, detail: str, *, claims: str = "", code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.claims = claims


class Forbidden(AdminAssistantError):
    """The caller is not authorised for the operation."""

    status = 403
    code = "forbidden"
    title = "Forbidden"


class ConsentRequired(Forbidden):
    """The person, or their administrator, must agree to the permission first."""

    code = "consent_required"
    title = "Consent required"


class NotFound(AdminAssistantError):
    """The resource does not exist or is not visible to the caller."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(AdminAssistantError):
    """The path exists, but not with this method. ``methods`` are those it has."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"

    def __init__(self, detail: str, *, methods: Sequence[str]) -> None:
        super().__init__(detail)
        self.methods = tuple(methods)


class Conflict(AdminAssistantError):
    """The state of the resource does not allow the change. ``resource_id`` is the existing resource."""

    status = 409
    code = "conflict"
    title = "Conflict"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        retry_after: float | None = None,
        resource_id: str | None = None,
    ) -> None:
        super().__init__(detail, code=code, retry_after=retry_after)
        self.resource_id = resource_id


class RunInProgress(Conflict):
    """A run is queued or running."""

    code = "run_in_progress"


class PreconditionFailed(AdminAssistantError):
    """The resource changed since the caller read it."""

    status = 412
    code = "precondition_failed"
    title = "Precondition failed"


class PayloadTooLarge(AdminAssistantError):
    """The body is larger than the operation accepts."""

    status = 413
    code = "payload_too_large"
    title = "Payload too large"


class PreconditionRequired(AdminAssistantError):
    """The change must say which version of the resource it is meant for."""

    status = 428
    code = "precondition_required"
    title = "Precondition required"


class RateLimited(AdminAssistantError):
    """Too many requests of one caller. ``limit`` names the setting, ``value`` is its value."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, detail: str, *, limit: str, value: float, retry_after: float) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.limit = limit
        self.value = value


class Unavailable(AdminAssistantError):
    """A dependency is away. The request may be repeated."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"


class StoreUnavailable(Unavailable):
    """The mailboxes or the directory did not answer, throttled, or failed temporarily."""

    code = "graph_unavailable"


class StoreRefused(AdminAssistantError):
    """A mailbox or the directory refused. A retry cannot help."""

    status = 502
    code = "graph_refused"
    title = "Microsoft Graph refused"

    def __init__(self, detail: str, *, answered: int, reason: str, malformed_id: bool = False) -> None:
        super().__init__(detail)
        self.answered = answered
        self.reason = reason
        self.malformed_id = malformed_id

    @property
    def gone(self) -> bool:
        """Whether the requested item does not exist."""
        return self.answered == 404

    @property
    def taken(self) -> bool:
        """Whether the item to create exists already."""
        return self.answered == 409
