"""Failures of single calls to Graph, and their conversion to the product's errors."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx

from shared.errors import AdminAssistantError, NotFound, StoreRefused, StoreUnavailable

#: A 503 with one of these codes is throttling, and nothing was done (graph.md, Throttling).
THROTTLING_CODES = frozenset({"ApplicationThrottled", "TooManyRequests"})
#: A 404 with one of these codes means that the mailbox is away, not that an item is gone (graph.md, Errors).
MAILBOX_GONE_CODES = frozenset(
    {
        "MailboxNotEnabledForRESTAPI",
        "ResourceNotFound",
        "Request_ResourceNotFound",
        "ErrorInvalidUser",
        "ErrorNonExistentMailbox",
    }
)
#: The answer to a text that names nothing (graph.md, Errors).
_MALFORMED_ID_CODES = frozenset({"ErrorInvalidIdMalformed", "ErrorInvalidRequest", "BadRequest"})
#: The code of a request that was not sent, because Graph had asked for a pause.
TOLD_TO_WAIT = "told_to_wait"
#: The answer to one event that Graph cannot read, alone or with its page, every time (graph.md section 3).
LASTING_STATUSES = frozenset({500, 504})
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


class GraphCallError(Exception):
    """One failed call. ``status`` is None if no answer arrived. ``retry_after`` is in seconds."""

    def __init__(self, status: int | None, code: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status or 'no answer'} {code}")
        self.status = status
        self.code = code
        self.retry_after = retry_after

    @property
    def passing(self) -> bool:
        """Whether the same read may succeed later."""
        return self.status is None or self.status in _PASSING


def as_product_error(failure: GraphCallError, what: str) -> AdminAssistantError:
    """The error to raise for a call that failed finally. ``what`` names it, e.g. ``reading a calendar``."""
    if failure.passing:
        return StoreUnavailable(
            f"Microsoft Graph did not answer {what}: {failure.code}", retry_after=failure.retry_after
        )
    if failure.status == 404:
        return NotFound(f"there is no such thing {what}; Microsoft Graph says {failure.code}")
    return StoreRefused(
        f"Microsoft Graph refused {what}: {failure.code}",
        answered=failure.status or 0,
        reason=failure.code,
        malformed_id=failure.code in _MALFORMED_ID_CODES,
    )


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """``Retry-After`` in seconds, from a number or an HTTP date (RFC 9110 10.2.3). None if unreadable."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def header(headers: Mapping[str, Any] | None, name: str) -> str | None:
    """A header of a $batch response by name, case ignored."""
    for key, value in (headers or {}).items():
        if key.lower() == name:
            return str(value)
    return None


def never_sent(error: BaseException) -> bool:
    """Whether a transport error proves that no byte of the request left.

    The transport reports every lost connection as a connect error, even after the request was written. Only
    aiohttp's own cause distinguishes them.
    """
    cause = error.__cause__ if isinstance(error, httpx.TransportError) else error
    return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
