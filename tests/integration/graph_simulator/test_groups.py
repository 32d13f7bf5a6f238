"""Entra groups: members of members, each once, in pages, and as strict as an advanced query is."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.graph_simulator import GraphSimulator

HEADERS = {"ConsistencyLevel": "eventual"}
QUERY = {"$count": "true"}


@pytest.fixture
async def members(simulator: GraphSimulator) -> str:
    """A group of five people of whom two come by a group within it, which contains the first again."""
    wishes = [{"address": f"p{number}@example.com"} for number in range(5)]
    await _admin(simulator, "mailboxes", wishes)
    inner = {"name": "Inner", "members": ["p3@example.com", "p4@example.com", "p0@example.com"]}
    await _admin(simulator, "groups", inner)
    outer = {"name": "Outer", "members": [*(f"p{number}@example.com" for number in range(3)), "Inner"]}
    loaded = await _admin(simulator, "groups", outer)
    await _admin(simulator, "groups", inner | {"members": [*inner["members"], "Outer"]})
    return str(loaded["groups"][0]["id"])


async def _admin(simulator: GraphSimulator, path: str, body: Any) -> Any:
    async with httpx.AsyncClient(base_url=simulator.base_url) as client:
        answer = await client.post(f"/_simulator/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def get(
    simulator: GraphSimulator, group: str, query: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    async with httpx.AsyncClient(base_url=simulator.base_url) as client:
        token = await client.get(
            "/msi/token",
            params={"resource": "https://graph.microsoft.com", "api-version": "2019-08-01"},
            headers={"X-IDENTITY-HEADER": simulator.settings.identity_header},
        )
        bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}
        path = f"/v1.0/groups/{group}/transitiveMembers/microsoft.graph.user"
        return await client.get(path, params=query, headers=headers | bearer)


def names(page: Any) -> list[str]:
    return [user["userPrincipalName"].partition("@")[0] for user in page["value"]]


async def test_everyone_once_however_groups_are_nested(simulator: GraphSimulator, members: str) -> None:
    page = (await get(simulator, members, QUERY, HEADERS)).json()
    assert names(page) == ["p0", "p1", "p2", "p3", "p4"]
    assert page["@odata.count"] == 5


async def test_pages_follow_their_links(simulator: GraphSimulator, members: str) -> None:
    page = (
        await get(simulator, members, QUERY | {"$top": "2", "$select": "id,userPrincipalName"}, HEADERS)
    ).json()
    found = names(page)
    while link := page.get("@odata.nextLink"):
        page = (await get(simulator, members, dict(httpx.URL(link).params), HEADERS)).json()
        found += names(page)
    assert found == ["p0", "p1", "p2", "p3", "p4"]


async def test_what_graph_refuses_is_refused(simulator: GraphSimulator, members: str) -> None:
    for query, headers in ((QUERY, {}), ({}, HEADERS)):
        answer = await get(simulator, members, query, headers)
        assert (answer.status_code, _code(answer)) == (400, "Request_UnsupportedQuery")
    assert (await get(simulator, members, QUERY | {"$top": "1000"}, HEADERS)).status_code == 400
    unknown = await get(simulator, members[:-4] + "0000", QUERY, HEADERS)
    assert (unknown.status_code, _code(unknown)) == (404, "Request_ResourceNotFound")
    simulator.settings.graph_roles = ["User.Read.All"]
    refused = await get(simulator, members, QUERY, HEADERS)
    assert (refused.status_code, _code(refused)) == (403, "Authorization_RequestDenied")


async def test_groups_outlive_the_process(tmp_path: Path) -> None:
    for number in range(2):
        simulator = GraphSimulator(state_file=tmp_path / "graph.json")
        await simulator.start()
        if number == 0:
            await _admin(simulator, "mailboxes", [{"address": "a@example.com", "user_type": "Guest"}])
            loaded = await _admin(simulator, "groups", {"name": "Team", "members": ["a@example.com"]})
        page = await get(simulator, loaded["groups"][0]["id"], QUERY | {"$select": "userType"}, HEADERS)
        assert [user["userType"] for user in page.json()["value"]] == ["Guest"]
        await simulator.stop()


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])
