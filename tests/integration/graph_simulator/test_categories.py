"""The simulator's lists of categories, as strict as Graph's (graph.md, Mail and categories)."""

from pathlib import Path
from uuid import UUID

import pytest

from infra.local.graph_simulator import GraphSimulator
from tests.integration.graph_simulator.conftest import ADDRESS
from tests.integration.graph_simulator.sdk import FixedCredential, Graph, open_graph
from tests.integration.graph_simulator.test_events import refusal

ACME = {"displayName": "Acme - billable", "color": "preset4"}


@pytest.fixture
def path(user: str) -> str:
    """Where Ada's categories are."""
    return f"{user}/outlook/masterCategories"


async def test_categories_are_made_read_recoloured_and_deleted(graph: Graph, path: str) -> None:
    made = await graph.request("POST", path, ACME)
    assert UUID(made["id"])
    assert {name: made[name] for name in ACME} == ACME
    uncoloured = await graph.request("POST", path, {"displayName": "Beta - billable"})
    assert uncoloured["color"] == "none"
    changed = await graph.request("PATCH", f"{path}/{made['id']}", {"color": "preset24"})
    assert (changed["displayName"], changed["color"]) == (ACME["displayName"], "preset24")
    assert (await graph.request("GET", f"{path}/{made['id']}"))["color"] == "preset24"
    listed = await graph.request("GET", path)
    assert [item["displayName"] for item in listed["value"]] == ["Acme - billable", "Beta - billable"]
    selected = await graph.request("GET", f"{path}?$select=displayName&$top=1")
    assert selected["value"] == [{"displayName": "Acme - billable"}]
    rest = await graph.request("GET", selected["@odata.nextLink"].partition("/v1.0")[2])
    assert rest["value"] == [{"displayName": "Beta - billable"}]
    await graph.request("DELETE", f"{path}/{made['id']}")
    assert await refusal(graph, "GET", f"{path}/{made['id']}") == (404, "ErrorItemNotFound")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "ErrorPropertyValidationFailure"),
        ({"displayName": ""}, "ErrorPropertyValidationFailure"),
        ({"displayName": "x" * 256}, "ErrorPropertyValidationFailure"),
        ({"displayName": "x", "color": "preset25"}, "RequestBodyRead"),
        ({"displayName": "x", "color": "red"}, "RequestBodyRead"),
        ({"displayName": "x", "colour": "preset1"}, "RequestBodyRead"),
        ({"displayName": "x", "id": "1"}, "ErrorInvalidPropertySet"),
    ],
)
async def test_what_graph_refuses_is_refused(
    graph: Graph, path: str, body: dict[str, str], code: str
) -> None:
    assert await refusal(graph, "POST", path, body) == (400, code)
    assert (await graph.request("GET", path))["value"] == []


async def test_a_name_is_there_once_and_never_changes(graph: Graph, path: str) -> None:
    made = await graph.request("POST", path, ACME)
    again = {"displayName": "ACME - billable"}
    assert await refusal(graph, "POST", path, again) == (409, "CategoryNameDuplicate")
    one = f"{path}/{made['id']}"
    assert await refusal(graph, "PATCH", one, {"displayName": "Beta"}) == (400, "ErrorInvalidPropertySet")
    assert await refusal(graph, "GET", f"{path}/nonsense") == (400, "ErrorInvalidIdMalformed")
    assert await refusal(graph, "POST", one, ACME) == (405, "Request_BadRequest")


async def test_reading_and_writing_need_their_permissions(simulator: GraphSimulator, path: str) -> None:
    for roles, read, write in (
        (["MailboxSettings.Read"], True, False),
        (["MailboxSettings.ReadWrite"], True, True),
        (["Calendars.ReadWrite"], False, False),
    ):
        simulator.settings.graph_roles = roles
        async with open_graph(simulator, FixedCredential(simulator.identity.graph_token())) as graph:
            denied = (403, "ErrorAccessDenied")
            if read:
                await graph.request("GET", path)
            else:
                assert await refusal(graph, "GET", path) == denied
            if write:
                await graph.request("POST", path, ACME)
            else:
                assert await refusal(graph, "POST", path, ACME) == denied


async def test_categories_survive_a_restart(tmp_path: Path) -> None:
    ids = []
    for turn in range(2):
        simulator = GraphSimulator(state_file=tmp_path / "graph.db")
        await simulator.start()
        try:
            if turn == 0:
                from infra.local.graph_simulator.loading.mailboxes import Loader

                Loader(simulator.state, simulator.settings).load_mailbox(
                    {"address": ADDRESS, "calendars": []}
                )
            credential = FixedCredential(simulator.identity.graph_token())
            async with open_graph(simulator, credential) as graph:
                path = f"/users/{ADDRESS}/outlook/masterCategories"
                if turn == 0:
                    ids.append((await graph.request("POST", path, ACME))["id"])
                else:
                    ids += [item["id"] for item in (await graph.request("GET", path))["value"]]
        finally:
            await simulator.stop()
    assert ids[0] == ids[1]
