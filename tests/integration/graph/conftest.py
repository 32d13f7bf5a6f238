"""The simulator over real HTTP, and an adapter that talks to it as it would to Graph."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from infra.local.graph_simulator import GraphSimulator
from infra.local.graph_simulator.loading.mailboxes import Loader
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.client import GraphClient
from shared.graph.retry import RetryPolicy
from shared.settings import Settings

ADDRESS = "ada@example.com"
QUICK = RetryPolicy(attempts=3, first_delay=0.01, longest_delay=0.02)


@dataclass
class Tenant:
    """One mailbox with a source and an archive calendar."""

    simulator: GraphSimulator
    mailbox: str
    source: str
    archive: str

    def load(self, *events: dict[str, Any], calendar: str = "Calendar") -> None:
        """Put events into a calendar, as its owner."""
        loader = Loader(self.simulator.state, self.simulator.settings)
        loader.load_mailbox({"address": ADDRESS, "calendars": [{"name": calendar, "events": list(events)}]})

    def fault(self, kind: str, match: dict[str, Any] | None = None, **rule: Any) -> None:
        """Switch a fault on for requests to Graph that match; the token service is left alone."""
        self.simulator.faults.add(
            {"kind": kind, "match": {"path_regex": r"^/(users|\$batch)", **(match or {})}, **rule}
        )

    async def owner_edits(self, event_id: str, changes: dict[str, Any]) -> None:
        """Change an event as its owner does in Outlook."""
        path = f"/_simulator/mailboxes/{self.mailbox}/events/{quote(event_id, safe='')}/edit"
        async with (
            aiohttp.ClientSession(self.simulator.base_url) as session,
            session.patch(URL(path, encoded=True), json=changes) as response,
        ):
            assert response.status == 200, await response.text()

    def stored(self, calendar_id: str) -> list[Any]:
        """The events of a calendar as the simulator holds them."""
        found = self.simulator.state.find_mailbox(self.mailbox)
        assert found is not None
        return list(found.calendars[calendar_id].events.values())

    @property
    def counts(self) -> Any:
        """What the simulator counted for the mailbox."""
        return self.simulator.counters.of(ADDRESS)


@pytest.fixture
async def tenant(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tenant]:
    simulator = GraphSimulator()
    await simulator.start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.base_url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", simulator.settings.identity_header)
    loader = Loader(simulator.state, simulator.settings)
    loaded = loader.load_mailbox(
        {"address": ADDRESS, "calendars": [{"name": "Calendar", "is_default": True}, {"name": "Archive"}]}
    )
    source, archive = (calendar["id"] for calendar in loaded["calendars"])
    try:
        yield Tenant(simulator, loaded["oid"], source, archive)
    finally:
        await simulator.stop()


@pytest.fixture
def settings(tenant: Tenant) -> Settings:
    return Settings(graph_base_url=f"{tenant.simulator.base_url}/v1.0", graph_read_timeout=5)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[GraphClient]:
    client = GraphClient.create(settings)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
def adapter(client: GraphClient) -> CalendarAdapter:
    return CalendarAdapter(client, policy=QUICK)
