"""The way of the predecessor, for comparison: SDK models, one request an event, each on a new connection."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from azure.core.credentials import AccessToken
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.event import Event
from msgraph.generated.users.item.calendars.item.calendar_view.calendar_view_request_builder import (
    CalendarViewRequestBuilder,
)
from msgraph_core import GraphClientFactory

from infra.local import identities
from tests.benchmarks.bare_loop import graph_token
from tests.support.system import Archive, System


class _Credential:
    """A token that was fetched before the clock started."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **options: object) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        return


@asynccontextmanager
async def _connected(system: System, token: str) -> AsyncIterator[GraphServiceClient]:
    """The SDK's client as its documentation makes it, on a connection of its own."""
    base = f"{system.stack.simulator_url}/v1.0"
    # The SDK's middleware replaces the transport and never closes the one it wraps.
    transport = httpx.AsyncHTTPTransport()
    http = GraphClientFactory.create_with_default_middleware(
        client=httpx.AsyncClient(base_url=base, timeout=30, transport=transport)
    )
    scopes = ["https://graph.microsoft.com/.default"]
    provider = AzureIdentityAuthenticationProvider(_Credential(token), scopes=scopes)
    adapter = GraphRequestAdapter(provider, client=http)
    adapter.base_url = base
    try:
        yield GraphServiceClient(request_adapter=adapter)
    finally:
        await http.aclose()
        await transport.aclose()


async def archive_one_by_one(system: System, archive: Archive) -> tuple[float, float]:
    """Copy every event of the mailbox; wall and CPU seconds of this process."""
    token = await graph_token(system)
    mailbox_id = identities.object_id(archive.address)
    async with _connected(system, token) as client:
        calendars = await client.users.by_user_id(mailbox_id).calendars.get()
    ids = {calendar.name: calendar.id for calendar in calendars.value}
    wall, cpu = time.perf_counter(), time.process_time()
    query = CalendarViewRequestBuilder.CalendarViewRequestBuilderGetQueryParameters(
        start_date_time=archive.start.isoformat(), end_date_time=archive.end.isoformat(), top=1000
    )
    async with _connected(system, token) as client:
        source = client.users.by_user_id(mailbox_id).calendars.by_calendar_id(ids["Calendar"])
        page = await source.calendar_view.get(
            request_configuration=RequestConfiguration(query_parameters=query)
        )
    for event in page.value:
        async with _connected(system, token) as client:
            target = client.users.by_user_id(mailbox_id).calendars.by_calendar_id(ids["Archive"])
            await target.events.post(_copy(event))
    return time.perf_counter() - wall, time.process_time() - cpu


def _copy(event: Event) -> Event:
    return Event(
        subject=event.subject,
        body=event.body,
        start=DateTimeTimeZone(date_time=event.start.date_time, time_zone=event.start.time_zone),
        end=DateTimeTimeZone(date_time=event.end.date_time, time_zone=event.end.time_zone),
        categories=event.categories,
    )
