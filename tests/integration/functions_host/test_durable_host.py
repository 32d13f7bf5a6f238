"""The sample app in the real host, a process of its own: clients of the app, the management API, kill -9."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.functions_host.durable_apps.harness import PATTERNS, PREFIX
from tests.integration.functions_host.running_host import RunningHost, eventually


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(PATTERNS, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    folder = tmp_path_factory.mktemp("patterns")
    shutil.copytree(PATTERNS, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    with _host(folder) as running:
        yield running


def test_a_client_of_the_app_starts_waits_and_reads(host: RunningHost) -> None:
    started = host.client.post("/api/start/chain", json={"input": ["Ada"], "id": "by-client"})
    waited = host.client.get("/api/wait/by-client").json()
    older = host.client.get("/api/old-wait/by-client")

    assert started.status_code == 202
    assert waited == {"status": "COMPLETED", "output": ["hello Ada"]}
    assert older.json() == ["hello Ada"]


def test_the_management_urls_of_the_answer_work(host: RunningHost) -> None:
    urls = host.client.post("/api/start/approval", json={"id": "managed"}).json()

    assert host.client.get(urls["statusQueryGetUri"]).status_code == 202
    assert host.client.post(urls["suspendPostUri"].replace("{text}", "lunch")).status_code == 202
    assert host.client.post(urls["resumePostUri"].replace("{text}", "back")).status_code == 202
    event = urls["sendEventPostUri"].replace("{eventName}", "approval")
    assert host.client.post(event, json="yes").status_code == 202
    assert host.client.get("/api/wait/managed").json()["output"] == {"approved": "yes"}
    assert host.client.get(urls["statusQueryGetUri"]).json()["output"] == {"approved": "yes"}
    assert host.client.post(urls["restartPostUri"]).status_code == 202
    assert host.client.delete(urls["purgeHistoryDeleteUri"]).json() == {"instancesDeleted": 1}


def test_many_clients_wait_while_others_are_served(host: RunningHost) -> None:
    for number in range(30):
        host.client.post("/api/start/approval", json={"id": f"crowd-{number}"})
    for number in range(30):
        host.client.post(f"/api/raise/crowd-{number}/approval", json=number)

    outputs = [host.client.get(f"/api/wait/crowd-{number}").json()["output"] for number in range(30)]

    assert outputs == [{"approved": number} for number in range(30)]


def test_entities_locks_and_call_http_in_the_real_worker(host: RunningHost) -> None:
    for _ in range(5):
        assert host.client.post("/api/signal/real/add", json=2).status_code == 202
    locked = {"keys": ["real"], "amount": 90}
    eventually(lambda: host.client.get("/api/counter/real").json() == 10, "the counter")
    host.client.post("/api/start/critical", json={"input": locked, "id": "locked"})
    url = str(host.client.base_url.join("/api/echo"))
    host.client.post("/api/start/calls_http", json={"input": url, "id": "http"})

    assert host.client.get("/api/wait/locked").json()["output"] == [10, 100]
    assert host.client.get("/api/counter/real").json() == 100
    assert host.client.get("/api/wait/http").json()["output"] == {"status": 200, "content": "echo"}


def test_an_app_in_the_older_style(host: RunningHost) -> None:
    host.client.post("/api/start/old_mixture", json={"input": "k", "id": "old"})
    output = host.client.get("/api/wait/old").json()["output"]

    assert output == {
        "greetings": ["hello a", "hello b"],
        "tally": 7,
        "retried": "done at 2",
        "first": "timer",
    }


def test_a_client_in_the_older_style(host: RunningHost) -> None:
    def ask(action: str) -> Any:
        return host.client.post(f"/api/old/{action}/oldest").json()

    host.client.post("/api/start/approval", json={"id": "oldest"})
    assert ask("suspend") is None
    eventually(lambda: ask("status")["runtimeStatus"] == "Suspended", "the suspension")
    assert ask("resume") is None
    assert ask("raise") is None
    host.client.get("/api/wait/oldest")
    status = ask("status")
    restarted = ask("restart")
    listed = ask("all")

    assert (status["runtimeStatus"], status["output"]) == ("Completed", {"approved": "by old client"})
    assert [event["EventType"] for event in status["historyEvents"]][-1] == "ExecutionCompleted"
    assert {"oldest", restarted} <= set(listed)
    assert ask("purge") == 1
    assert ask("status") == {}


def test_the_host_says_once_why_an_orchestration_failed(host: RunningHost) -> None:
    host.client.post("/api/start/fails", json={"input": "plainly said", "id": "failed"})
    host.client.get("/api/wait/failed")

    host.wait_for(r"Orchestration 'fails' \(failed\) failed: .*LookupError: plainly said")

    assert host.output.count("LookupError: plainly said") == 1
    assert "yielded with" not in host.output


def test_kill_9_during_a_timer_and_during_an_activity(folder: Path) -> None:
    with _host(folder) as first:
        first.client.post("/api/start/sleeper", json={"input": 1.0, "id": "sleeping"})
        first.client.post("/api/start/waits_for_file", json={"input": {"name": "killed"}, "id": "working"})
        first.client.post("/api/start/parent", json={"input": {"name": "approval", "id": "kid"}, "id": "dad"})
        eventually(lambda: (folder / "killed.1").exists(), "the activity")
        eventually(lambda: _running(first, "sleeping"), "the timer")
        first.stop(signal.SIGKILL)

    (folder / "release-killed").touch()
    with _host(folder) as second:
        second.client.post("/api/raise/kid/approval", json="at last")
        outcomes = [second.client.get(f"/api/wait/{name}").json() for name in ("sleeping", "working", "dad")]

    assert [outcome["status"] for outcome in outcomes] == ["COMPLETED"] * 3
    assert outcomes[1]["output"] == "released 2"
    assert outcomes[2]["output"] == {"child": {"approved": "at last"}}


def test_what_was_acknowledged_is_there_after_kill_9(folder: Path) -> None:
    with _host(folder) as first:
        started = [f"kept-{number}" for number in range(25)]
        for name in started:
            assert first.client.post("/api/start/chain", json={"id": name}).status_code == 202
        assert first.client.post("/api/signal/kept/add", json=3).status_code == 202
        first.stop(signal.SIGKILL)

    with _host(folder) as second:
        outcomes = [second.client.get(f"/api/wait/{name}").json() for name in started]
        eventually(lambda: second.client.get("/api/counter/kept").json() == 3, "the signal")

    assert {outcome["status"] for outcome in outcomes} == {"COMPLETED"}


def _host(folder: Path) -> RunningHost:
    return RunningHost(folder / "app", env={"PATTERNS_FOLDER": str(folder)})


def _running(host: RunningHost, name: str) -> bool:
    status = host.client.get(f"{PREFIX}/instances/{name}").json()["runtimeStatus"]
    return bool(status == "Running")
