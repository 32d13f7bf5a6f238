"""The msgraph-sdk, built without its middleware (graph.md section 2). Imported on first use."""

import warnings
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation
    from msgraph import GraphServiceClient
    from msgraph.graph_request_adapter import GraphRequestAdapter

    from shared.credential import Tokens


def make_adapter(
    http: httpx.AsyncClient, base_url: str, tokens: "Tokens", scope: str
) -> "GraphRequestAdapter":
    """The SDK's request adapter on an HTTP client that went through ``without_middleware``."""
    from kiota_authentication_azure.azure_identity_authentication_provider import (
        AzureIdentityAuthenticationProvider,
    )
    from msgraph.graph_request_adapter import GraphRequestAdapter

    provider = AzureIdentityAuthenticationProvider(tokens, scopes=[scope])
    adapter = GraphRequestAdapter(provider, client=http)
    adapter.base_url = base_url
    return adapter


def without_middleware(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """Prepare a client for the SDK, without its own retries, redirects or telemetry. Once per client."""
    from msgraph_core import GraphClientFactory

    prepared: httpx.AsyncClient = GraphClientFactory.create_with_custom_middleware(middleware=[], client=http)
    return prepared


def make_sdk(adapter: "GraphRequestAdapter") -> "GraphServiceClient":
    """The SDK's client, used for its request builders."""
    from msgraph import GraphServiceClient

    sdk = GraphServiceClient(request_adapter=adapter)
    with warnings.catch_warnings():
        # Builders are imported on first use. Their classes then deprecate parts of themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        user = sdk.users.by_user_id("-")
        calendar = user.calendars.by_calendar_id("-")
        for builder in (
            user,
            calendar,
            calendar.calendar_view,
            calendar.events,
            user.events.by_event_id("-"),
        ):
            builder.to_get_request_information()
    return sdk


def error_types() -> dict[str, Any]:
    """The class that the SDK decodes error answers to, by status."""
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError

    return {"XXX": ODataError}


def raw_request(
    method: str, url: str, headers: dict[str, str], content: bytes | None
) -> "RequestInformation":
    """A request of the SDK for a known URL, such as a nextLink."""
    from kiota_abstractions.method import Method
    from kiota_abstractions.request_information import RequestInformation

    request = RequestInformation()
    request.http_method = Method(method)
    request.url = url
    for name, value in headers.items():
        request.headers.try_add(name, value)
    request.content = content
    return request
