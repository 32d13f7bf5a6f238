"""A token service on this machine over plain http, for development and tests."""

from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline.transport import AioHttpTransport

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class LoopbackTransport(AioHttpTransport):  # type: ignore[misc]
    """Sends azure-identity's https requests to this machine as plain http, and no other requests."""

    async def send(self, request: Any, **config: Any) -> Any:
        """See AioHttpTransport. Raises ValueError for any other machine."""
        parts = urlsplit(request.url)
        if parts.hostname not in _LOCAL_HOSTS:
            raise ValueError("plain http leaves this machine")
        request.url = parts._replace(scheme="http").geturl()
        return await super().send(request, **config)


def loopback_transport() -> LoopbackTransport:
    """A separate transport for one credential, closed with it."""
    return LoopbackTransport()
