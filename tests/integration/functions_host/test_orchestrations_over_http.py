"""An app with orchestrations in the host: clients, activities and the management API meet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.functions_host.running_host import RunningHost, eventually, write_app

APP = """
import logging
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    instance = await client.start_new(req.route_params["name"], client_input=req.get_json())
    return client.create_check_status_response(req, instance)


@app.timer_trigger(schedule="0 0 4 1 1 *", arg_name="t")
@app.durable_client_input(client_name="client")
async def nightly(t: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    await client.start_new("greet", instance_id="by-timer", client_input=["night"])


@app.orchestration_trigger(context_name="context", orchestration="greet")
def greet(context: df.DurableOrchestrationContext):
    greetings = yield context.task_all([context.call_activity("hello", name) for name in context.get_input()])
    return greetings


@app.activity_trigger(input_name="name", activity="hello")
async def say_hello(name: str) -> str:
    logging.info("greeting %s", name)
    if name == "nobody":
        raise LookupError("nobody is there")
    return f"hello {name}"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    with RunningHost(write_app(tmp_path_factory.mktemp("durable") / "app", APP)) as running:
        yield running


def _ended(client: httpx.Client, url: str) -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        answer = client.get(url)
        status: dict[str, Any] = answer.json() if answer.content else {}
        return status if status.get("runtimeStatus") in {"Completed", "Failed"} else None

    return eventually(probe, f"the end of {url}")


def test_an_orchestration_started_over_http_runs_its_activities(host: RunningHost) -> None:
    started = host.client.post("/api/start/greet", json=["Ada", "Grace"])

    status = _ended(host.client, started.json()["statusQueryGetUri"])

    assert started.status_code == 202
    assert (status["runtimeStatus"], status["output"]) == ("Completed", ["hello Ada", "hello Grace"])
    host.wait_for(r"Executed 'Functions\.say_hello' \(Succeeded")


def test_a_failing_activity_fails_its_orchestration_with_its_words(host: RunningHost) -> None:
    started = host.client.post("/api/start/greet", json=["nobody"])

    status = _ended(host.client, started.json()["statusQueryGetUri"])

    assert status["runtimeStatus"] == "Failed"
    assert "nobody is there" in json.dumps(status["output"])


def test_a_timer_fired_by_hand_starts_an_orchestration(host: RunningHost) -> None:
    assert host.client.post("/admin/functions/nightly", json={"input": ""}).status_code == 202

    def known() -> bool:
        return host.client.get("/runtime/webhooks/durabletask/instances/by-timer").status_code != 404

    eventually(known, "the orchestration of the timer")
    status = _ended(host.client, "/runtime/webhooks/durabletask/instances/by-timer")
    assert status["output"] == ["hello night"]
    assert host.client.get("/admin/host/status").json()["durableBacklog"] == 0


@pytest.mark.parametrize(("function", "hint"), [("say_hello", 202), ("greet", 400)])
def test_activities_can_be_fired_alone_and_orchestrators_cannot(
    host: RunningHost, function: str, hint: int
) -> None:
    answer = host.client.post(f"/admin/functions/{function}", json={"input": "Joan"})

    assert answer.status_code == hint
    if hint == 202:
        host.wait_for("greeting Joan")
    else:
        assert "/runtime/webhooks/durabletask/orchestrators/greet" in answer.text


def test_the_management_api_asks_for_its_key_when_keys_are_enforced(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", APP)
    with RunningHost(app, "--enable-auth") as host:
        uri = httpx.URL(host.client.post("/api/start/greet", json=["Ada"]).json()["statusQueryGetUri"])

        assert host.client.get(uri.path).status_code == 401
        assert _ended(host.client, str(uri))["output"] == ["hello Ada"]
