"""The way of the predecessor, for comparison: SDK models, one request an event, each on a new connection."""

import time

import httpx
from azure.core.credentials import AccessToken
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
from tests.support.system import Archive, System


class _Credential:
    """A token that was fetched before the clock started."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **options: object) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        return


def _client(system: System, token: str) -> tuple[GraphServiceClient, httpx.AsyncClient]:
    base = f"{system.stack.simulator_url}/v1.0"
    http = GraphClientFactory.create_with_default_middleware(
        client=httpx.AsyncClient(base_url=base, timeout=30)
    )
    provider = AzureIdentityAuthenticationProvider(
        _Credential(token), scopes=["https://graph.microsoft.com/.default"]
    )
    adapter = GraphRequestAdapter(provider, client=http)
    adapter.base_url = base
    return GraphServiceClient(request_adapter=adapter), http


async def archive_one_by_one(system: System, archive: Archive) -> tuple[float, float]:
    """Copy every event of the mailbox; wall and CPU seconds of this process."""
    answer = await system.stack.client.get(
        f"{system.stack.simulator_url}/msi/token",
        params={"api-version": "2019-08-01", "resource": "https://graph.microsoft.com"},
        headers={"X-IDENTITY-HEADER": identities.IDENTITY_HEADER},
    )
    token = answer.json()["access_token"]
    client, http = _client(system, token)
    mailbox = client.users.by_user_id(identities.object_id(archive.address))
    calendars = await mailbox.calendars.get()
    ids = {calendar.name: calendar.id for calendar in calendars.value}
    await http.aclose()
    wall, cpu = time.perf_counter(), time.process_time()
    client, http = _client(system, token)
    query = CalendarViewRequestBuilder.CalendarViewRequestBuilderGetQueryParameters(
        start_date_time=archive.start.isoformat(), end_date_time=archive.end.isoformat(), top=1000
    )
    configuration = CalendarViewRequestBuilder.CalendarViewRequestBuilderGetRequestConfiguration(
        query_parameters=query
    )
    view = client.users.by_user_id(identities.object_id(archive.address)).calendars.by_calendar_id(
        ids["Calendar"]
    )
    page = await view.calendar_view.get(request_configuration=configuration)
    await http.aclose()
    for event in page.value:
        client, http = _client(system, token)
        calendar = client.users.by_user_id(identities.object_id(archive.address)).calendars.by_calendar_id(
            ids["Archive"]
        )
        await calendar.events.post(
            Event(
                subject=event.subject,
                body=event.body,
                start=DateTimeTimeZone(date_time=event.start.date_time, time_zone=event.start.time_zone),
                end=DateTimeTimeZone(date_time=event.end.date_time, time_zone=event.end.time_zone),
                categories=event.categories,
            )
        )
        await http.aclose()
    return time.perf_counter() - wall, time.process_time() - cpu
