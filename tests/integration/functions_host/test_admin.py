"""The host's own API: state, functions, firing by hand, and the keys that guard it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.functions_host.running_host import RunningHost, write_app

APP = """
import logging
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
def open_to_all(req: func.HttpRequest) -> str:
    return "open"


@app.route(route="keyed", methods=["GET"])
def keyed(req: func.HttpRequest) -> str:
    return "keyed"


@app.route(route="masters", auth_level=func.AuthLevel.ADMIN)
def masters(req: func.HttpRequest) -> str:
    return "masters"


@app.timer_trigger(schedule="0 0 4 1 1 *", arg_name="t")
def yearly(t: func.TimerRequest) -> None:
    logging.info("yearly, past due %s", t.past_due)


@app.queue_trigger(arg_name="message", queue_name="q", connection="c")
@app.queue_output(arg_name="out", queue_name="r", connection="c")
def letters(message: func.QueueMessage, out: func.Out[str]) -> None:
    logging.info("letter %s", message.get_body().decode())
    out.set("answer")


@app.blob_input(arg_name="blob", path="a/b", connection="c")
@app.route(route="blob")
def with_blob(req: func.HttpRequest, blob: func.InputStream) -> str:
    return "never"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    with RunningHost(write_app(tmp_path_factory.mktemp("admin") / "app", APP)) as running:
        yield running


def test_the_status_tells_that_the_host_runs_and_what_it_cannot_serve(host: RunningHost) -> None:
    status = host.client.get("/admin/host/status").json()

    assert status["state"] == "Running"
    assert status["processUptime"] >= 0
    assert status["runningInvocations"] == 0
    assert status["functionErrors"] == {
        "with_blob": "The input binding 'blob' is not available in this host."
    }
    assert host.client.get("/admin/host/ping").status_code == 200
    assert host.client.get("/").status_code == 200


def test_functions_are_listed_with_their_bindings(host: RunningHost) -> None:
    listed = {function["name"]: function for function in host.client.get("/admin/functions").json()}

    assert set(listed) == {"open_to_all", "keyed", "masters", "yearly", "letters", "with_blob"}
    assert listed["keyed"]["invoke_url_template"] == f"{host.client.base_url}/api/keyed"
    assert [binding["type"] for binding in listed["keyed"]["config"]["bindings"]] == ["httpTrigger", "http"]
    assert host.client.get("/admin/functions/YEARLY").json()["name"] == "yearly"
    assert host.client.get("/admin/functions/none").status_code == 404
    assert host.client.get("/admin/functions/with_blob/status").json()["errors"]


def test_a_timer_can_be_fired_by_hand(host: RunningHost) -> None:
    assert host.client.post("/admin/functions/yearly", json={"input": ""}).status_code == 202

    host.wait_for("yearly, past due False")


@pytest.mark.parametrize(("given", "arrives"), [("dear", "letter dear"), ({"a": 1}, 'letter {"a": 1}')])
def test_the_input_reaches_a_function_whose_service_is_not_here(
    host: RunningHost, given: object, arrives: str
) -> None:
    assert host.client.post("/admin/functions/letters", json={"input": given}).status_code == 202

    host.wait_for(arrives)
    host.wait_for(r"'letters': what it puts into the queue binding is not delivered")
    host.wait_for(r"'letters': nothing here triggers queueTrigger")


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("none", '{"input": ""}', 404),
        ("with_blob", '{"input": ""}', 404),
        ("keyed", '{"input": ""}', 400),
        ("yearly", "", 400),
        ("yearly", "[]", 400),
    ],
)
def test_what_cannot_be_fired_is_refused(host: RunningHost, name: str, body: str, status: int) -> None:
    answer = host.client.post(
        f"/admin/functions/{name}", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == status


def test_without_the_switch_no_key_is_asked_for(host: RunningHost) -> None:
    assert host.client.get("/api/keyed").text == "keyed"
    assert host.client.get("/api/masters").text == "masters"


def test_with_the_switch_each_level_takes_its_keys_only(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", APP)
    state = tmp_path / "state"
    with RunningHost(app, "--enable-auth", "--state", str(state)) as host:
        document = json.loads((state / "secrets/host.json").read_text())
        master = document["masterKey"]["value"]
        function = document["functionKeys"][0]["value"]

        def statuses(key: str) -> list[int]:
            headers = {"x-functions-key": key} if key else {}
            paths = ("/api/open", "/api/keyed", "/api/masters", "/admin/host/status")
            return [host.client.get(path, headers=headers).status_code for path in paths]

        assert statuses("") == [200, 401, 401, 401]
        assert statuses("wrong") == [200, 401, 401, 401]
        assert statuses(function) == [200, 200, 401, 401]
        assert statuses(master) == [200, 200, 200, 200]
        assert host.client.get("/api/keyed", params={"code": function}).text == "keyed"
        refused: httpx.Response = host.client.post("/admin/functions/yearly", json={"input": ""})
        assert refused.status_code == 401
    assert (state / "secrets/host.json").stat().st_mode & 0o077 == 0
