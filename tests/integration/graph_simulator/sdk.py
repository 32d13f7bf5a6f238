"""The real msgraph-sdk pointed at the simulator, on the bytes path of graph.md."""

import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from kiota_abstractions.headers_collection import HeadersCollection
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_core import GraphClientFactory

from infra.local.graph_simulator import GraphSimulator

with warnings.catch_warnings():
    # The SDK's builders warn, when imported, of classes of their own that they deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import msgraph.generated.users.item.calendars.calendars_request_builder
    import msgraph.generated.users.item.calendars.item.calendar_item_request_builder
    import msgraph.generated.users.item.user_item_request_builder
    import msgraph.generated.users.users_request_builder  # noqa: F401
    from msgraph.generated.users.item.calendars.item.calendar_view.calendar_view_request_builder import (
        CalendarViewRequestBuilder as CalendarViewRequestBuilder,
    )

#: Loading the system's certificates for every client would take most of the tests' time.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
IMMUTABLE = 'IdType="ImmutableId"'


class FixedCredential:
    """A credential whose token is known."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(self._token, 4_000_000_000)

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> "FixedCredential":
        return self

    async def __aexit__(self, *details: object) -> None:
        return None


class Graph:
    """msgraph-sdk's client and adapter; ``send`` gives parsed JSON, errors raise ``ODataError``."""

    def __init__(
        self, client: GraphServiceClient, adapter: GraphRequestAdapter, http: httpx.AsyncClient
    ) -> None:
        self.client = client
        self.adapter = adapter
        self.http = http

    async def send(self, information: RequestInformation, prefer: str = IMMUTABLE) -> Any:
        """Send what one of the SDK's builders made."""
        information.headers.try_add("Prefer", prefer)
        raw = await self.adapter.send_primitive_async(information, "bytes", {"XXX": ODataError})
        return None if raw is None else orjson.loads(raw)

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        prefer: str = IMMUTABLE,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send to a path below the version, or to an absolute nextLink, through the same adapter."""
        information = RequestInformation(Method(method))
        information.url = path if path.startswith("http") else f"{self.adapter.base_url}{path}"
        information.headers = HeadersCollection()
        for name, value in (headers or {}).items():
            information.headers.add(name, value)
        if body is not None:
            information.set_stream_content(orjson.dumps(body), "application/json")
        return await self.send(information, prefer)

    async def pages(self, path: str, *, prefer: str = IMMUTABLE) -> list[list[dict[str, Any]]]:
        """Every page of a collection, following nextLink."""
        found = []
        link: str | None = path
        while link:
            page = await self.request("GET", link, prefer=prefer)
            found.append(page["value"])
            link = page.get("@odata.nextLink")
        return found

    async def all(self, path: str, *, prefer: str = IMMUTABLE) -> list[dict[str, Any]]:
        """Every item of a collection."""
        return [item for page in await self.pages(path, prefer=prefer) for item in page]

    async def batch(self, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The responses of a $batch by id."""
        answer = await self.request("POST", "/$batch", {"requests": list(requests)})
        return {entry["id"]: entry for entry in answer["responses"]}


@asynccontextmanager
async def open_graph(simulator: GraphSimulator, credential: AsyncTokenCredential) -> AsyncIterator[Graph]:
    """A client against another base URL, as graph.md describes it."""
    base = f"{simulator.base_url}/v1.0"
    auth = AzureIdentityAuthenticationProvider(credential, scopes=["https://graph.microsoft.com/.default"])
    transport = httpx.AsyncHTTPTransport(verify=NO_TLS)
    timeout = httpx.Timeout(30, connect=5)
    http = httpx.AsyncClient(base_url=base, timeout=timeout, transport=transport, verify=NO_TLS)
    http = GraphClientFactory.create_with_custom_middleware(middleware=[], client=http)
    adapter = GraphRequestAdapter(auth, client=http)
    adapter.base_url = base
    try:
        yield Graph(GraphServiceClient(request_adapter=adapter), adapter, http)
    finally:
        await http.aclose()
        # The factory wraps the transport in one that does not close it.
        await transport.aclose()
        await credential.close()


def timed(start: str, end: str, zone: str = "UTC", **more: Any) -> dict[str, Any]:
    """The body of an event."""
    return {
        "subject": "Meeting",
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
        **more,
    }
