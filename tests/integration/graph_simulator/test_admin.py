"""Loading mailboxes, reading back, owner edits, settings, and a state that survives a restart."""

import ast
import asyncio
import inspect
import re
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.graph_simulator import GraphSimulator
from infra.local.graph_simulator.control import admin as admin_module
from tests.integration.graph_simulator.conftest import ADDRESS
from tests.integration.graph_simulator.sdk import NO_TLS, Graph, timed
from tests.integration.graph_simulator.test_events import KEY, SPRING
from tests.integration.graph_simulator.test_views import MARCH, WEEKLY, starts

BOX = f"/_simulator/mailboxes/{ADDRESS}"
SERIES = timed(
    "2026-03-09T09:00:00",
    "2026-03-09T09:30:00",
    "W. Europe Standard Time",
    recurrence=WEEKLY,
    exceptions=[{"originalStart": "2026-03-16T08:00:00Z", "subject": "Other", "isCancelled": True}],
    cancelledOccurrences=["2026-03-23"],
    organizer={"emailAddress": {"address": "boss@contoso.example", "name": "Boss"}},
    responseStatus={"response": "declined", "time": "2026-01-01T00:00:00Z"},
)


def wish(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """A load of Ada's default calendar."""
    return [
        {"address": ADDRESS, "calendars": [{"name": "Calendar", "is_default": True, "events": list(events)}]}
    ]


async def test_every_admin_route_is_described_and_each_description_is_of_one(
    admin: httpx.AsyncClient,
) -> None:
    told = (await admin.get("/_simulator")).json()
    described = [(route["method"], route["path"]) for route in told["routes"]]
    assert len(set(described)) == len(described) == served_routes()
    await admin.post("/_simulator/mailboxes", json=wish())
    for method, path in described:
        filled = re.sub(r"\{[^}]*\}", "x", path.replace("{address or id}", ADDRESS))
        answer = await admin.request(method, f"/_simulator{filled}")
        assert "no admin route" not in answer.text, (method, path)
    for route in told["routes"]:
        assert route["does"].endswith(".")
        assert ("example" in route) <= ("body" in route)


async def test_the_examples_of_the_index_are_taken_as_they_stand(admin: httpx.AsyncClient) -> None:
    routes = (await admin.get("/_simulator")).json()["routes"]
    for name in ("nora.berg@example.com", ADDRESS):
        await admin.post("/_simulator/mailboxes", json={"address": name})
    for route in routes:
        if "example" in route and "{event id}" not in route["path"]:
            path = route["path"].replace("{address or id}", ADDRESS)
            answer = await admin.request(route["method"], f"/_simulator{path}", json=route["example"])
            assert answer.is_success, (route, answer.text)


def served_routes() -> int:
    """How many pairs of method and path the admin routes of the source match."""
    tree = ast.parse(inspect.getsource(admin_module))
    cases = [case.pattern for node in ast.walk(tree) if isinstance(node, ast.Match) for case in node.cases]
    # One case hands mailboxes on; there the path alone is asked first, for two methods.
    number = 2 - 1
    for pattern in cases:
        methods = pattern.patterns[0] if isinstance(pattern, ast.MatchSequence) else None
        number += len(methods.patterns) if isinstance(methods, ast.MatchOr) else 1
    return number


async def test_loaded_series_has_its_exceptions_and_foreign_organizer(
    graph: Graph, user: str, admin: httpx.AsyncClient, simulator: GraphSimulator
) -> None:
    answer = await admin.post("/_simulator/mailboxes", json=wish(SERIES))
    assert answer.json()["mailboxes"][0]["calendars"][0]["loaded"] == 1
    events = await graph.all(f"{user}/calendarView?{MARCH}&$orderby=start/dateTime")
    assert [(event["subject"], event["type"], event["isCancelled"]) for event in events] == [
        ("Meeting", "occurrence", False),
        ("Other", "exception", True),
        ("Meeting", "occurrence", False),
    ]
    assert {event["responseStatus"]["response"] for event in events} == {"declined"}
    assert not any(event["isOrganizer"] for event in events)
    assert simulator.counters.total.invitations_sent == 0


async def test_loading_again_adds_nothing_and_keeps_intended_twins(
    admin: httpx.AsyncClient, graph: Graph, user: str
) -> None:
    twins = [timed(*SPRING), timed(*SPRING), SERIES]
    for expected in (3, 0):
        answer = await admin.post("/_simulator/mailboxes", json=wish(*twins))
        assert answer.json()["mailboxes"][0]["calendars"][0] | {"id": ""} == {
            "name": "Calendar",
            "id": "",
            "loaded": expected,
            "events": 3,
        }
    for event in await graph.all(f"{user}/events"):
        await graph.request("DELETE", f"{user}/events/{event['id']}")
    await admin.post("/_simulator/mailboxes", json=wish(*twins))
    assert await graph.all(f"{user}/events") == []


@pytest.mark.parametrize(
    ("load", "word"),
    [
        ([{"oid": "1"}], "address"),
        ([{"address": "x@y.example", "time_zone": "Mars"}], "time zone"),
        ([{"address": "x@y.example", "colour": "red"}], "colour"),
        (wish({"subject": "No times"}), "start and end"),
        (wish(timed(*SPRING, colour="red")), "colour"),
        (wish(SERIES | {"cancelledOccurrences": ["2026-03-24"]}), "2026-03-24"),
        (wish(timed(*SPRING, exceptions=[{"originalStart": "2026-03-24"}])), "series"),
    ],
)
async def test_wrong_loads_say_what_is_wrong(admin: httpx.AsyncClient, load: Any, word: str) -> None:
    answer = await admin.post("/_simulator/mailboxes", json=load)
    assert answer.status_code == 400
    assert word in answer.json()["error"]["message"]


async def test_read_back_shows_every_property_and_occurrence_without_pages(
    admin: httpx.AsyncClient, graph: Graph, archive: str
) -> None:
    await admin.post("/_simulator/mailboxes", json=wish(SERIES))
    for number in range(12):
        body = timed(*SPRING, singleValueExtendedProperties=[{"id": KEY, "value": str(number)}])
        await graph.request("POST", f"{archive}/events", body)
    copies = (await admin.get(f"{BOX}/events", params={"calendar": "Archive"})).json()["value"]
    assert sorted(int(event["singleValueExtendedProperties"][0]["value"]) for event in copies) == list(
        range(12)
    )
    window = {"calendar": "Calendar", "start": "2026-03-10T00:00:00Z", "end": "2026-03-31T00:00:00Z"}
    shown = (await admin.get(f"{BOX}/events", params=window)).json()["value"]
    assert starts(shown) == ["2026-03-16T08:00", "2026-03-30T07:00"]
    assert len((await admin.get(f"{BOX}/events")).json()["value"]) == 16
    assert (await admin.get(f"{BOX}/events", params={"calendar": "None"})).status_code == 404


async def test_owner_edits_moves_and_deletes(admin: httpx.AsyncClient, graph: Graph, user: str) -> None:
    created = await graph.request("POST", f"{user}/events", timed(*SPRING))
    path = f"{BOX}/events/{created['id']}"
    edited = (await admin.post(f"{path}/edit", json={"subject": "By hand", "isCancelled": True})).json()
    assert (edited["subject"], edited["isCancelled"]) == ("By hand", True)
    assert edited["changeKey"] != created["changeKey"]
    moved = (await admin.post(f"{path}/move", json={"calendar": "Archive"})).json()
    assert (moved["id"], moved["calendar"]) == (created["id"], "Archive")
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.delete(path)).status_code == 404


async def test_settings_are_checked_and_counters_reset(
    admin: httpx.AsyncClient, graph: Graph, user: str
) -> None:
    assert (await admin.patch("/_simulator/settings", json={"concurrency": None})).json()[
        "concurrency"
    ] is None
    for wrong in ({"colour": 1}, {"concurrency": "many"}, {"duplicate_transaction": "418"}):
        assert (await admin.patch("/_simulator/settings", json=wrong)).status_code == 400
    await graph.request("GET", f"{user}/calendar")
    counts = (await admin.get("/_simulator/counters")).json()
    assert (counts["round_trips"], counts["reads"], counts["mailboxes"][ADDRESS]["requests"]) == (1, 1, 1)
    await admin.post("/_simulator/counters/reset")
    assert (await admin.get("/_simulator/counters")).json()["round_trips"] == 0
    assert (await admin.get("/_simulator/health")).json() == {"status": "ok", "mailboxes": 1}
    assert (await admin.get("/_simulator/nothing")).status_code == 404


class Process:
    """The simulator as its own process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.base_url = f"http://127.0.0.1:{port}"

    @staticmethod
    async def start(state: Path) -> "Process":
        arguments = ("-m", "infra.local.graph_simulator", "--port", "0", "--state", str(state))
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
        )
        assert process.stdout is not None
        line = httpx.Response(200, content=await process.stdout.readline()).json()
        assert line["ready"] is True
        return Process(process, line["port"])

    async def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        await self.process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
async def test_restart_keeps_events_transactions_and_keys(tmp_path: Path, ending: int) -> None:
    file = tmp_path / "state.db"
    first = await Process.start(file)
    token = ""
    try:
        async with httpx.AsyncClient(base_url=first.base_url, verify=NO_TLS) as admin:
            await admin.post("/_simulator/mailboxes", json=wish(SERIES))
            resource = {"api-version": "2019-08-01", "resource": "https://graph.microsoft.com"}
            answer = await admin.get("/msi/token", params=resource, headers={"X-IDENTITY-HEADER": "local"})
            token = answer.json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            path, body = (
                f"/v1.0/users/{ADDRESS}/events",
                timed(*SPRING, transactionId="t-1", categories=["Ü"]),
            )
            created = (await admin.post(path, json=body, headers=headers)).json()
            before = (await admin.get(f"{BOX}/events")).json()
    finally:
        await first.stop(ending)
    second = await Process.start(file)
    try:
        async with httpx.AsyncClient(base_url=second.base_url, verify=NO_TLS) as admin:
            assert (await admin.get(f"{BOX}/events")).json() == before
            again = await admin.post(path, json=body, headers=headers)
            assert again.status_code == 409
            assert again.json()["error"]["@event.existingEventId"] == created["id"]
            load = await admin.post("/_simulator/mailboxes", json=wish(SERIES))
            assert load.json()["mailboxes"][0]["calendars"][0]["loaded"] == 0
    finally:
        await second.stop()


async def test_taken_port_is_one_clear_line(simulator: GraphSimulator) -> None:
    port = simulator.base_url.rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.local.graph_simulator", "--port", port),
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().count("\n") == 1
    assert port in errors.decode()
