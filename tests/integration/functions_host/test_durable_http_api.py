"""The HTTP management API of the engine alone, as the Durable Functions docs describe it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.functions_host.durable_apps.harness import EngineUnderTest, eventually, running_engine

# The SDK says so of itself, once in a process, whatever the app does.
pytestmark = pytest.mark.filterwarnings("ignore:azure.functions:DeprecationWarning")
CONTINUATION = "x-ms-continuation-token"


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineUnderTest]:
    monkeypatch.setenv("PATTERNS_FOLDER", str(tmp_path))
    async with running_engine(tmp_path) as running:
        yield running


async def test_starting_answers_where_to_look(hub: EngineUnderTest) -> None:
    status, payload, headers = await hub.call("POST", "/orchestrators/chain/by-http", json=["Ada"])

    assert (status, payload["id"]) == (202, "by-http")
    assert headers["Location"] == payload["statusQueryGetUri"]
    assert int(headers["Retry-After"]) > 0
    assert set(payload) == {
        "id",
        "statusQueryGetUri",
        "sendEventPostUri",
        "terminatePostUri",
        "rewindPostUri",
        "purgeHistoryDeleteUri",
        "restartPostUri",
        "suspendPostUri",
        "resumePostUri",
    }
    assert "taskHub=Patterns" in payload["statusQueryGetUri"]
    assert "code=key" in payload["statusQueryGetUri"]
    assert (await hub.end_of("by-http")).get_output() == ["hello Ada"]
    async with hub.http.get(payload["statusQueryGetUri"]) as answer:
        assert (answer.status, (await answer.json())["runtimeStatus"]) == (200, "Completed")


async def test_starting_can_wait_for_the_end(hub: EngineUnderTest) -> None:
    assert (await hub.call("POST", "/orchestrators/fan_out?timeout=5", json=3))[:2] == (200, 14)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/orchestrators/no_such_orchestrator", "1", 400),
        ("/orchestrators/chain", "{not json", 400),
        ("/orchestrators/chain/@x", "1", 400),
        ("/orchestrators/approval/running", "1", 409),
        ("/instances/missing/raiseEvent/approval", "1", 404),
        ("/instances/missing/terminate", "", 404),
        ("/instances/missing/suspend", "", 404),
        ("/instances/missing/resume", "", 404),
        ("/instances/missing/rewind", "", 404),
        ("/instances/missing/restart", "", 404),
        ("/instances/running/raiseEvent/approval", "{not json", 400),
        ("/instances/ended/raiseEvent/approval", "1", 410),
        ("/instances/ended/terminate", "", 410),
        ("/instances/ended/suspend", "", 410),
        ("/instances/ended/resume", "", 410),
        ("/instances/ended/rewind", "", 410),
        ("/entities/nothing/k", "1", 400),
    ],
)
async def test_what_cannot_be_done_is_refused(
    hub: EngineUnderTest, path: str, body: str, expected: int
) -> None:
    await hub.begin("approval", instance_id="running")
    await hub.run("chain", instance_id="ended")

    status, payload, _ = await hub.call("POST", path, data=body)

    assert status == expected
    assert payload["message"]


async def test_the_status_of_a_running_instance_says_to_come_again(hub: EngineUnderTest) -> None:
    await hub.begin("approval", {"q": 1}, instance_id="open")
    await hub.until_custom_status("open", {"waits for": "approval"})

    status, payload, headers = await hub.call("GET", "/instances/open?code=key")

    assert status == 202
    assert headers["Location"].endswith("/instances/open?code=key")
    assert payload["runtimeStatus"] == "Running"
    assert (payload["input"], payload["output"]) == ({"q": 1}, None)
    assert payload["customStatus"] == {"waits for": "approval"}
    assert payload["historyEvents"] is None
    assert payload["createdTime"].endswith("Z")
    assert (await hub.call("GET", "/instances/open?showInput=false"))[1]["input"] is None
    assert (await hub.call("GET", "/instances/other"))[0] == 404
    assert (await hub.call("GET", "/instances/open?showInput=perhaps"))[0] == 400


async def test_the_status_shows_the_history_when_asked(hub: EngineUnderTest) -> None:
    await hub.run("chain", ["Ada"], instance_id="told")

    plain = (await hub.call("GET", "/instances/told?showHistory=true&showInput=false"))[1]["historyEvents"]
    full = (await hub.call("GET", "/instances/told?showHistory=true&showHistoryOutput=true"))[1][
        "historyEvents"
    ]

    assert [event["EventType"] for event in full] == [
        "ExecutionStarted",
        "TaskCompleted",
        "ExecutionCompleted",
    ]
    assert full[0]["FunctionName"] == "chain"
    assert (full[1]["FunctionName"], full[1]["Result"]) == ("greet", "hello Ada")
    assert full[1]["ScheduledTime"] <= full[1]["Timestamp"]
    assert full[2]["OrchestrationStatus"] == "Completed"
    assert "Result" not in plain[1]
    assert "Input" not in plain[0]


async def test_a_failure_is_the_output_and_a_server_error_when_asked(hub: EngineUnderTest) -> None:
    await hub.run("fails", "no luck", instance_id="broken")

    status, payload, _ = await hub.call("GET", "/instances/broken")
    strict = await hub.call("GET", "/instances/broken?returnInternalServerErrorOnFailure=true")

    assert (status, payload["runtimeStatus"], payload["output"]) == (200, "Failed", "no luck")
    assert strict[0] == 500


async def test_the_list_is_filtered_and_paged(hub: EngineUnderTest) -> None:
    for number in range(5):
        await hub.run("chain", ["Ada"], instance_id=f"page-{number}")
    await hub.begin("approval", instance_id="page-open")
    await hub.run("chain", instance_id="else")

    seen: list[str] = []
    token = ""
    while True:
        path = "/instances?instanceIdPrefix=page-&runtimeStatus=Completed,Failed&top=2"
        status, page, headers = await hub.call("GET", path, headers={CONTINUATION: token} if token else {})
        assert status == 200
        assert len(page) <= 2
        seen += [item["instanceId"] for item in page]
        token = headers.get(CONTINUATION, "")
        if not token:
            break

    assert seen == [f"page-{number}" for number in range(5)]
    running = (await hub.call("GET", "/instances?runtimeStatus=Running&showInput=false"))[1]
    assert [(item["instanceId"], item["input"]) for item in running] == [("page-open", None)]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (await hub.call("GET", f"/instances?createdTimeFrom={tomorrow}"))[1] == []
    assert len((await hub.call("GET", f"/instances?createdTimeTo={tomorrow}"))[1]) == 7


@pytest.mark.parametrize("query", ["runtimeStatus=Done", "createdTimeFrom=soon", "top=-1", "top=many"])
async def test_a_list_that_cannot_be_meant_is_refused(hub: EngineUnderTest, query: str) -> None:
    assert (await hub.call("GET", f"/instances?{query}"))[0] == 400
    assert (await hub.call("GET", "/instances", headers={CONTINUATION: "nonsense"}))[0] == 400


async def test_events_suspend_resume_and_terminate(hub: EngineUnderTest) -> None:
    await hub.begin("approval", instance_id="a")
    await hub.begin("approval", instance_id="b")

    assert (await hub.call("POST", "/instances/a/suspend?reason=lunch"))[0] == 202
    await hub.until_status("a", "SUSPENDED")
    assert (await hub.call("POST", "/instances/a/raiseEvent/Approval", json="yes"))[0] == 202
    assert (await hub.call("POST", "/instances/a/resume?reason=back"))[0] == 202
    assert (await hub.call("POST", "/instances/b/terminate?reason=no%20longer"))[0] == 202

    assert (await hub.end_of("a")).get_output() == {"approved": "yes"}
    status, payload, _ = await hub.call("GET", "/instances/b")
    assert (status, payload["runtimeStatus"], payload["output"]) == (200, "Terminated", "no longer")


async def test_rewind_and_restart(hub: EngineUnderTest) -> None:
    await hub.run("fragile", {"name": "http", "succeeds_at": 2}, instance_id="weak")

    assert (await hub.call("POST", "/instances/weak/rewind?reason=again"))[0] == 202
    assert (await hub.end_of("weak")).get_output() == ["hello before", "done at 2"]

    status, payload, _ = await hub.call("POST", "/instances/weak/restart")
    assert (status, payload["id"] != "weak") == (202, True)
    same = await hub.call("POST", "/instances/weak/restart?restartWithNewInstanceId=false")
    assert (same[0], same[1]["id"]) == (202, "weak")


async def test_purging_one_and_many(hub: EngineUnderTest) -> None:
    for instance in ("one", "two", "three"):
        await hub.run("chain", ["Ada"], instance_id=instance)
    await hub.begin("approval", instance_id="open")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert (await hub.call("DELETE", "/instances/one"))[:2] == (200, {"instancesDeleted": 1})
    assert (await hub.call("DELETE", "/instances/one"))[0] == 404
    assert (await hub.call("DELETE", "/instances"))[0] == 400
    many = await hub.call("DELETE", f"/instances?createdTimeFrom={yesterday}&runtimeStatus=Completed")
    assert many[:2] == (200, {"instancesDeleted": 2})
    assert (await hub.call("DELETE", f"/instances?createdTimeFrom={yesterday}"))[0] == 404
    assert [item["instanceId"] for item in (await hub.call("GET", "/instances"))[1]] == ["open"]


async def test_entities_are_signalled_read_and_listed(hub: EngineUnderTest) -> None:
    assert (await hub.call("GET", "/entities/counter/a"))[0] == 404
    for key in "abc":
        assert (await hub.call("POST", f"/entities/Counter/{key}?op=add", json=3))[0] == 202

    async def all_there() -> bool:
        return len((await hub.call("GET", "/entities/counter"))[1]) == 3

    await eventually(all_there, "three counters")
    assert (await hub.call("GET", "/entities/counter/b"))[:2] == (200, 3)
    status, page, headers = await hub.call("GET", "/entities?top=2&fetchState=true")
    assert status == 200
    assert [(item["entityId"], item["state"]) for item in page] == [
        ({"name": "counter", "key": "a"}, 3),
        ({"name": "counter", "key": "b"}, 3),
    ]
    rest = (await hub.call("GET", "/entities?top=2", headers={CONTINUATION: headers[CONTINUATION]}))[1]
    assert [item["entityId"]["key"] for item in rest] == ["c"]
    assert "state" not in rest[0]
