"""One connection to Microsoft Graph: HTTP, token and SDK, each created on first use."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import httpx

from shared.credential import TenantTokens, TokenCache, Tokens, make_credential
from shared.graph.errors import GraphCallError, never_sent, retry_after_seconds
from shared.settings import Settings
from shared.usage import count_call

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation
    from msgraph import GraphServiceClient
    from msgraph.graph_request_adapter import GraphRequestAdapter

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_CONNECT_TIMEOUT = 10.0
_IDLE_SECONDS = 15.0
_MAX_CONNECTIONS = 100
_log = logging.getLogger(__name__)

#: The transport's errors. aiohttp's own errors are raised if httpx has no name for them.
TRANSPORT_ERRORS = (httpx.HTTPError, aiohttp.ClientError, OSError)


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to a posted $batch, with any status."""

    status: int
    content: bytes
    retry_after: str | None


class GraphClient:
    """Calls Graph through the msgraph-sdk's adapter. It belongs to one event loop and is closed there."""

    def __init__(
        self,
        base_url: str,
        tokens: Tokens,
        *,
        scope: str,
        read_timeout: float,
        tenants: TenantTokens | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS):
            raise ValueError("graph_base_url must be https, or http on this machine")
        self.base_url = base_url.rstrip("/")
        self.tokens = tokens
        self.read_timeout = read_timeout
        self._origin = (parts.scheme, parts.netloc)
        self._scope = scope
        self._tenants = tenants
        self._in_tenant: dict[UUID, GraphClient] = {}
        self._http: httpx.AsyncClient | None = None
        self._transport: httpx.AsyncBaseTransport | None = None
        self._sdk: GraphServiceClient | None = None
        self._adapter: GraphRequestAdapter | None = None

    @classmethod
    def create(cls, settings: Settings) -> "GraphClient":
        """The client for the settings, in the home tenant. It does not connect yet.

        Raises ValueError for plain http.
        """
        tenants = TenantTokens(
            settings.tenant_id,
            lambda tenant: TokenCache(lambda: make_credential(settings, tenant), settings.graph_scope),
        )
        return cls(
            settings.graph_base_url,
            tenants.of(settings.tenant_id),
            scope=settings.graph_scope,
            read_timeout=settings.graph_read_timeout,
            tenants=tenants,
        )

    def in_tenant(self, tenant_id: UUID) -> "GraphClient":
        """The same connections with the tenant's token. Itself if it has tokens of only one tenant."""
        if self._tenants is None:
            return self
        tokens = self._tenants.of(tenant_id)
        if tokens is self.tokens:
            return self
        if tenant_id not in self._in_tenant:
            self._in_tenant[tenant_id] = _Borrowed(self, tokens)
        return self._in_tenant[tenant_id]

    @property
    def sdk(self) -> "GraphServiceClient":
        """The SDK's client, for its request builders."""
        if self._sdk is None:
            from shared.graph.sdk import make_sdk

            self._sdk = make_sdk(self.adapter)
        return self._sdk

    @property
    def adapter(self) -> "GraphRequestAdapter":
        """The SDK's adapter, which sends with our tokens."""
        if self._adapter is None:
            from shared.graph.sdk import make_adapter, without_middleware

            http = without_middleware(self._http_client())
            self._adapter = make_adapter(http, self.base_url, self.tokens, self._scope)
        return self._adapter

    def acting_as(self, tokens: Tokens) -> "GraphClient":
        """The same connections with another identity's tokens. Closed together with this one."""
        return _Borrowed(self, tokens)

    def path_of(self, request: "RequestInformation") -> str:
        """The path and query of a builder's request, relative to the version, as $batch needs them."""
        request.path_parameters["baseurl"] = self.base_url
        # The SDK's middleware, which is off, would turn %24select into $select.
        path, mark, query = str(request.url).removeprefix(self.base_url).partition("?")
        return f"{path}{mark}{f'&{query}'.replace('&%24', '&$')[1:]}"

    def checked_link(self, link: str) -> str:
        """A nextLink, used unchanged. Raises GraphCallError if it would send our token elsewhere."""
        parts = urlsplit(link)
        if (parts.scheme, parts.netloc) != self._origin:
            raise GraphCallError(400, "foreign_next_link")
        return link

    async def send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None = None,
        *,
        reads: int = 0,
        writes: int = 0,
    ) -> bytes:
        """The body of the answer to one request through the SDK's adapter. Raises GraphCallError.

        If the token is refused, it is renewed once and the request is repeated. ``reads`` and ``writes`` are
        the numbers to count.
        """
        value = await self.token()
        try:
            return await self._send_once(method, url, headers, content, reads, writes)
        except GraphCallError as failure:
            if failure.status != 401:
                raise
        await self.tokens.invalidate(value)
        await self.token()
        return await self._send_once(method, url, headers, content, reads, writes)

    async def _send_once(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None, reads: int, writes: int
    ) -> bytes:
        from kiota_abstractions.api_error import APIError

        from shared.graph.sdk import error_types, raw_request

        request = raw_request(method, url, headers, content)
        adapter = self.adapter
        count_call(reads=reads, writes=writes)
        try:
            async with asyncio.timeout(self.read_timeout):
                raw = await adapter.send_primitive_async(request, "bytes", error_types())
        except APIError as error:
            raise _failure(error) from error
        except TimeoutError as error:
            raise GraphCallError(None, "timeout") from error
        except TRANSPORT_ERRORS as error:
            raise GraphCallError(None, "not_connected" if never_sent(error) else "connection") from error
        return bytes(raw or b"")

    async def post_batch(self, content: bytes, token: str, *, writes: int) -> BatchAnswer:
        """Post one $batch exactly once, with a token fetched before. The caller limits the time.

        It bypasses the SDK's adapter, which would repeat it after a claims challenge, and uses the transport
        directly. There are no redirects, cookies or sign-in flows to follow. Raises TRANSPORT_ERRORS.
        """
        request = httpx.Request(
            "POST",
            f"{self.base_url}/$batch",
            content=content,
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
            },
            extensions={"timeout": self._timeout.as_dict()},
        )
        count_call(writes=writes)
        response = await self._http_transport().handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        if response.status_code != 200:
            _log.warning(
                "graph batch answered %d, request-id %s",
                response.status_code,
                response.headers.get("request-id"),
            )
        else:
            # The transport's client would have logged this.
            _log.debug("HTTP Request: POST %s/$batch 200", self.base_url)
        return BatchAnswer(response.status_code, response.content, response.headers.get("retry-after"))

    async def token(self) -> str:
        """A token for Graph. Raises GraphCallError: 503 without an answer, 401 if refused."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        try:
            return await self.tokens.value()
        except ClientAuthenticationError as error:
            # Its text contains tenant and client ids and Entra's reason, and no secret.
            _log.error(
                "no token for graph: %s", error.message.splitlines()[0] if error.message else "refused"
            )
            status = getattr(error, "status_code", None) or 401
            raise GraphCallError(503 if status >= 500 else 401, "token_refused") from error
        except (AzureError, TimeoutError, OSError) as error:
            _log.warning("no token for graph: %s", type(error).__name__)
            raise GraphCallError(503, "token_unavailable") from error

    async def close(self) -> None:
        """Close the connections and the credential."""
        if self._http is not None:
            await self._http.aclose()
        if self._transport is not None:
            # The SDK wraps the transport in one that does not pass the close on.
            await self._transport.aclose()
        self._http = self._transport = self._sdk = self._adapter = None
        self._in_tenant = {}
        await (self._tenants or self.tokens).close()

    @property
    def _timeout(self) -> httpx.Timeout:
        return httpx.Timeout(self.read_timeout, connect=_CONNECT_TIMEOUT, pool=_CONNECT_TIMEOUT)

    def _http_client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                transport=self._http_transport(), base_url=self.base_url, timeout=self._timeout
            )
        return self._http

    def _http_transport(self) -> httpx.AsyncBaseTransport:
        if self._transport is None:
            from httpx_aiohttp import AiohttpTransport

            # Plain http needs no certificates. A context without any trusts nobody.
            secure = self._origin[0] == "https"
            context = httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._transport = AiohttpTransport(verify=context, client=lambda: _session(context))
        return self._transport


class _Borrowed(GraphClient):
    """A client on another one's connections, with its own tokens."""

    def __init__(self, owner: GraphClient, tokens: Tokens) -> None:
        super().__init__(owner.base_url, tokens, scope=owner._scope, read_timeout=owner.read_timeout)
        self._owner = owner

    @property
    def sdk(self) -> "GraphServiceClient":
        """The owner's SDK client. Its request builders send nothing."""
        return self._owner.sdk

    @property
    def adapter(self) -> "GraphRequestAdapter":
        """An adapter on the owner's connections, which the owner's adapter has prepared."""
        if self._adapter is None:
            from shared.graph.sdk import make_adapter

            _ = self._owner.adapter
            self._adapter = make_adapter(self._http_client(), self.base_url, self.tokens, self._scope)
        return self._adapter

    async def close(self) -> None:
        """The connections belong to the owner."""

    def _http_client(self) -> httpx.AsyncClient:
        return self._owner._http_client()

    def _http_transport(self) -> httpx.AsyncBaseTransport:
        return self._owner._http_transport()


def _session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=_MAX_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS, ttl_dns_cache=300, ssl=context
    )
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    )


def _failure(error: Any) -> GraphCallError:
    """An error of the SDK as our own."""
    headers = error.response_headers or {}
    status = error.response_status_code or 0
    code = getattr(getattr(error, "error", None), "code", None) or f"http_{status}"
    _log.info("graph answered %s %s, request-id %s", status, code, headers.get("request-id"))
    return GraphCallError(status, code, retry_after_seconds(headers.get("retry-after")))
