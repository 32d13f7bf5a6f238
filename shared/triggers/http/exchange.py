"""Shared by every request and answer: correlation, trace, source address, CORS and security headers."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.telemetry import TraceParent, new_correlation_id, valid_correlation_id
from shared.triggers.http.registry import PREFIX

if TYPE_CHECKING:
    from azure.functions import HttpRequest

_SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_EXPOSED_HEADERS = (
    "content-disposition, etag, idempotency-replayed, link, location, retry-after, traceparent, "
    "www-authenticate, x-correlation-id, x-next-cursor, x-next-offset, x-total-length"
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request."""

    correlation_id: str
    trace: TraceParent
    source_ip: str | None
    path: str
    origin: str | None

    @classmethod
    def of(cls, request: "HttpRequest") -> "Exchange":
        """Uses the caller's correlation id and trace if they are valid, else starts new ones."""
        parent = TraceParent.parse(request.headers.get("traceparent"))
        return cls(
            correlation_id=valid_correlation_id(request.headers.get("x-correlation-id"))
            or new_correlation_id(),
            trace=parent.child() if parent else TraceParent.new(),
            source_ip=source_address(request.headers),
            path=path_of(request.url),
            origin=request.headers.get("origin"),
        )

    @property
    def relative_path(self) -> str:
        """The path below the prefix, as it was sent."""
        return self.path.removeprefix(f"/{PREFIX}/")

    def headers(self, allowed_origins: Sequence[str]) -> dict[str, str]:
        """Headers of every answer."""
        return {
            **_SECURITY,
            "x-correlation-id": self.correlation_id,
            "traceparent": str(self.trace),
            **cors_headers(self.origin, allowed_origins),
        }


def path_of(url: str) -> str:
    """The path of a request. Empty if its URL cannot be read (the Host header comes from the caller)."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def cors_headers(origin: str | None, allowed: Sequence[str]) -> dict[str, str]:
    """Let pages of the configured origins read the answer. Cookies are never permitted."""
    headers = {"Vary": "Origin"}
    if origin is not None and origin in allowed:
        headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED_HEADERS,
        }
    return headers


def source_address(headers: Mapping[str, str]) -> str | None:
    """The address that the platform's front end saw. It is the last one in X-Forwarded-For."""
    given = headers.get("x-forwarded-for")
    if not given:
        return None
    last = given.rpartition(",")[2].strip()
    for candidate in (last, last.rpartition(":")[0].strip("[]")):
        try:
            return str(ipaddress.ip_address(candidate))
        except ValueError:
            continue
    return None
