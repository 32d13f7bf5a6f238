"""A simulator with one mailbox, and the real SDK in front of it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from infra.local.graph_simulator import GraphSimulator
from tests.integration.graph_simulator.sdk import NO_TLS, FixedCredential, Graph, open_graph
from tests.support.series_edits import SeriesEdits

ADDRESS = "ada@contoso.example"


@pytest.fixture
async def simulator() -> AsyncIterator[GraphSimulator]:
    """A simulator with Ada's mailbox: the default calendar and one named Archive."""
    running = GraphSimulator()
    await running.start()
    try:
        async with httpx.AsyncClient(base_url=running.base_url, verify=NO_TLS) as admin:
            mailbox = {
                "address": ADDRESS,
                "display_name": "Ada Lovelace",
                "time_zone": "W. Europe Standard Time",
                "calendars": [{"name": "Calendar", "is_default": True}, {"name": "Archive"}],
            }
            answer = await admin.post("/_simulator/mailboxes", json=[mailbox])
            assert answer.status_code == 200, answer.text
        yield running
    finally:
        await running.stop()


@pytest.fixture
async def admin(simulator: GraphSimulator) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP to the simulator's base URL."""
    async with httpx.AsyncClient(base_url=simulator.base_url, verify=NO_TLS) as client:
        yield client


@pytest.fixture
async def graph(simulator: GraphSimulator) -> AsyncIterator[Graph]:
    """The SDK's client with an app token."""
    async with open_graph(simulator, FixedCredential(simulator.identity.graph_token())) as opened:
        yield opened


@pytest.fixture
def user() -> str:
    """Path of Ada below the version."""
    return f"/users/{ADDRESS}"


@pytest.fixture
async def archive(graph: Graph, user: str) -> str:
    """Path of Ada's archive calendar."""
    found = await graph.all(f"{user}/calendars?$filter=name eq 'Archive'")
    return f"{user}/calendars/{found[0]['id'].replace('=', '%3D')}"


@pytest.fixture
def edits(graph: Graph, admin: httpx.AsyncClient) -> SeriesEdits:
    """What people do in Outlook, through the SDK's adapter."""

    async def send(method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/_simulator"):
            answer = await admin.request(method, path, json=body)
            return answer.status_code, answer.json()
        try:
            found = await graph.request(method, path.removeprefix("/v1.0"), body, prefer=headers["Prefer"])
        except ODataError as error:
            code = error.error.code if error.error else None
            return error.response_status_code or 0, {"error": {"code": code, "message": error.message}}
        return 200, found

    return SeriesEdits(send, ADDRESS)
