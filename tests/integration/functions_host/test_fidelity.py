"""Small things that the real host does, each with an app of its own (sources: functions-host.md)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.functions_host.running_host import RunningHost, eventually, refusal, write_app


def host_json(http: dict[str, Any] | None = None, **more: Any) -> str:
    return json.dumps({"version": "2.0", "extensions": {"http": http or {}}, **more})


_ASGI = """
import azure.functions as func


async def site(scope, receive, send):
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    body = (await receive())["body"]
    headers = [(b"x-path", scope["path"].encode()), (b"x-query", scope["query_string"])]
    await send({"type": "http.response.start", "status": 203, "headers": headers})
    await send({"type": "http.response.body", "body": scope["method"].encode() + b" " + body})


app = func.AsgiFunctionApp(app=site, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
_WSGI = """
import azure.functions as func


def site(environ, start_response):
    start_response("203 Fine", [("X-Path", environ["PATH_INFO"]), ("X-Query", environ["QUERY_STRING"])])
    return [environ["REQUEST_METHOD"].encode() + b" " + environ["wsgi.input"].read()]


app = func.WsgiFunctionApp(app=site, http_auth_level=func.AuthLevel.ANONYMOUS)
"""


@pytest.mark.parametrize("code", [_ASGI, _WSGI], ids=["asgi", "wsgi"])
def test_a_whole_site_is_one_function_where_there_is_no_prefix(tmp_path: Path, code: str) -> None:
    app = write_app(tmp_path / "app", code, host=host_json({"routePrefix": ""}))
    with RunningHost(app) as host:
        answer = host.client.post("/a/b?c=d", content=b"body")
        assert (answer.status_code, answer.text) == (203, "POST body")
        assert (answer.headers["x-path"], answer.headers["x-query"]) == ("/a/b", "c=d")
        assert host.client.get("/").status_code == 203
        # The host's own API comes first.
        assert host.client.get("/admin/host/status").json()["state"] == "Running"


@pytest.mark.parametrize("code", [_ASGI, _WSGI], ids=["asgi", "wsgi"])
def test_a_whole_site_is_refused_where_there_is_a_prefix(tmp_path: Path, code: str) -> None:
    """The host does not start, so that nobody takes the site for one that would run in Azure."""
    told = refusal(write_app(tmp_path / "app", code))
    assert told.count("\n") == 1
    assert "creating the route with name 'http_app_func' and template 'api//{*route}'" in told


_MANY = """
import asyncio, os, pathlib
import azure.functions as func
import azure.durable_functions as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
FOLDER = pathlib.Path(__file__).parent


@app.route(route="plain")
def plain(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("plain")


@app.route(route="own")
def own(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("own", headers={"X-Frame-Options": "mine"})


@app.route(route="fails")
def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("broken")


@app.route(route="asleep")
def Asleep(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("awake")


@app.function_name("Broken")
@app.route(route="broken")
@app.generic_input_binding(arg_name="row", type="table")
def broken(req: func.HttpRequest, row) -> func.HttpResponse:
    return func.HttpResponse("never")


@app.route(route="cookie")
def cookie(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("x")
    response.headers.add("Set-Cookie", 'plain="a b"')
    return response


@app.warm_up_trigger(arg_name="context")
def Warmup(context) -> None:
    with (FOLDER / "warmed").open("a") as file:
        file.write("once ")


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> str:
    return await client.start_new(req.route_params["name"])


@app.orchestration_trigger(context_name="context")
def Calls_Others(context):
    found = yield context.call_activity("SAY_hello", "x")
    return found + (yield context.call_sub_orchestrator("CHILD", None))


@app.orchestration_trigger(context_name="context")
def child(context):
    return (yield context.call_activity("say_HELLO", "y"))


@app.activity_trigger(input_name="given")
def Say_Hello(given: str) -> str:
    return f"hello {given};"


@app.orchestration_trigger(context_name="context")
def waits(context):
    return (yield context.wait_for_external_event("go"))


@app.orchestration_trigger(context_name="context")
def parent(context):
    return (yield context.call_sub_orchestrator("waits", None, "the-child"))
"""
_HEADERS = {"X-Frame-Options": "DENY", "X-Ours": "yes"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    config = host_json({"customHeaders": _HEADERS}, healthMonitor={"enabled": True})
    app = write_app(tmp_path_factory.mktemp("many") / "app", _MANY, host=config)
    settings = {"AzureWebJobs.ASLEEP.Disabled": "true", "FUNCTIONS_WORKER_PROCESS_COUNT": "4"}
    with RunningHost(app, env=settings) as running:
        yield running


@pytest.mark.parametrize("path", ["/api/plain", "/api/fails", "/api/none", "/", "/admin/host/status"])
def test_custom_headers_are_on_every_response(many: RunningHost, path: str) -> None:
    headers = many.client.get(path).headers
    assert {name: headers[name] for name in _HEADERS} == _HEADERS


def test_a_header_that_the_function_set_stays(many: RunningHost) -> None:
    assert many.client.get("/api/own").headers.get_list("x-frame-options") == ["mine"]


def test_a_broken_function_harms_no_other(many: RunningHost) -> None:
    answers = {name: many.client.get(f"/api/{name}").status_code for name in ("broken", "fails", "plain")}
    assert answers == {"broken": 404, "fails": 500, "plain": 200}
    errors = many.client.get("/admin/functions/BROKEN/status").json()["errors"]
    assert errors == ["The input binding 'table' is not available in this host."]


def test_a_function_is_disabled_by_a_setting_whatever_its_case(many: RunningHost) -> None:
    assert many.client.get("/api/asleep").status_code == 404
    assert many.client.get("/admin/functions/asleep").json()["isDisabled"] is True


def test_a_cookie_without_attributes_has_an_empty_domain_and_path(many: RunningHost) -> None:
    assert many.client.get("/api/cookie").headers["set-cookie"] == "plain=a%20b; domain=; path="


def test_the_function_named_warmup_runs_once(many: RunningHost) -> None:
    answers = [many.client.request(method, "/admin/warmup") for method in ("GET", "POST", "PUT")]
    assert [each.status_code for each in answers] == [200] * 3
    assert (many.log.parent / "app" / "warmed").read_text() == "once "


_WARM = """
import pathlib
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.warm_up_trigger(arg_name="context")
def prepare(context) -> None:
    (pathlib.Path(__file__).parent / "warmed").touch()


@app.route(route="{*path}")
def everything(req: func.HttpRequest) -> str:
    return "taken"
"""


@pytest.mark.parametrize(("plan", "status"), [("", 200), ("FlexConsumption", 404), ("Dynamic", 404)])
def test_the_consumption_plans_have_no_warmup(tmp_path: Path, plan: str, status: int) -> None:
    app = write_app(tmp_path / "app", _WARM, host=host_json({"routePrefix": ""}))
    with RunningHost(app, env={"WEBSITE_SKU": plan}) as host:
        assert host.client.get("/admin/warmup").status_code == status
        # A function of another name is no warmup function.
        assert not (app / "warmed").exists()
        # Paths of the host are no function's, even where its route takes everything.
        for path in ("/admin", "/ADMIN/none", "/runtime/webhooks/none", "/admin/warmup/more"):
            assert host.client.get(path).status_code == 404
        for path in ("/", "/administration", "/none/admin"):
            assert host.client.get(path).text == "taken"


def test_what_is_not_done_is_named_at_start(many: RunningHost) -> None:
    assert "host.json asks for what this host does not do: healthMonitor" in many.output
    assert "FUNCTIONS_WORKER_PROCESS_COUNT is passed over" in many.output


def _durable(host: RunningHost, method: str, path: str, **more: Any) -> Any:
    return host.client.request(method, f"/runtime/webhooks/durabletask/{path}", **more)


def _ended(host: RunningHost, instance_id: str) -> Any:
    def probe() -> Any:
        found = _durable(host, "GET", f"instances/{instance_id}").json()
        return found if found["runtimeStatus"] in {"Completed", "Terminated", "Failed"} else None

    return eventually(probe, instance_id)


@pytest.mark.parametrize("name", ["calls_others", "CALLS_OTHERS", "Calls_Others"])
def test_durable_functions_are_called_whatever_the_case_of_their_names(many: RunningHost, name: str) -> None:
    through_client = many.client.post(f"/api/start/{name}").text
    over_http = _durable(many, "POST", f"orchestrators/{name}").json()["id"]
    for each in (through_client, over_http):
        ended = _ended(many, each)
        assert (ended["runtimeStatus"], ended["output"]) == ("Completed", "hello x;hello y;")


def test_an_event_must_be_json(many: RunningHost) -> None:
    started = _durable(many, "POST", "orchestrators/waits").json()["id"]
    path = f"instances/{started}/raiseEvent/go"
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = {"Content-Type": kind} if kind else {}
        assert _durable(many, "POST", path, content=b"1", headers=headers).status_code == 400
    assert _durable(many, "POST", path, json={"yes": 1}).status_code == 202
    assert _ended(many, started)["output"] == {"yes": 1}


@pytest.mark.parametrize(("query", "ends"), [("", False), ("?recursive=true", True)])
def test_terminate_ends_children_only_when_asked(many: RunningHost, query: str, ends: bool) -> None:
    started = _durable(many, "POST", "orchestrators/parent").json()["id"]

    def begun() -> bool:
        found = _durable(many, "GET", "instances/the-child")
        return found.status_code in {200, 202} and found.json()["runtimeStatus"] == "Running"

    eventually(lambda: begun() or None, "the child")
    assert _durable(many, "POST", f"instances/{started}/terminate{query}").status_code == 202
    assert _ended(many, started)["runtimeStatus"] == "Terminated"
    child = _durable(many, "GET", "instances/the-child").json()["runtimeStatus"]
    assert child == ("Terminated" if ends else "Running")
    if not ends:
        _durable(many, "POST", "instances/the-child/terminate")


def test_another_task_hub_is_not_answered(many: RunningHost) -> None:
    started = _durable(many, "POST", "orchestrators/waits?taskHub=TESTHUBNAME").json()["id"]
    for path in (f"instances/{started}", "instances"):
        assert _durable(many, "GET", f"{path}?taskHub=Another").status_code == 404
        assert _durable(many, "GET", f"{path}?taskHub=testhubname").is_success
    assert _durable(many, "POST", "orchestrators/waits?taskHub=Another").status_code == 404
    _durable(many, "POST", f"instances/{started}/terminate")


_CROWD = """
import asyncio, pathlib
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
FOLDER = pathlib.Path(__file__).parent
running = most = 0


@app.route(route="hold")
async def hold(req: func.HttpRequest) -> str:
    global running, most
    running += 1
    most = max(most, running)
    while not (FOLDER / "release").exists():
        await asyncio.sleep(0.01)
    running -= 1
    return str(most)
"""


def test_requests_above_the_limits_wait_and_then_get_429(tmp_path: Path) -> None:
    limits = {"maxConcurrentRequests": 2, "maxOutstandingRequests": 5}
    app = write_app(tmp_path / "app", _CROWD, host=host_json(limits))
    with RunningHost(app) as host, ThreadPoolExecutor(9) as crowd:
        answers = [crowd.submit(host.client.get, "/api/hold") for _ in range(9)]
        refused = eventually(
            lambda: done if len(done := [each for each in answers if each.done()]) == 4 else None,
            "four answers",
        )
        assert [each.result().status_code for each in refused] == [429] * 4
        # Probes are no functions: they are answered all the same.
        assert host.client.get("/admin/host/ping").status_code == 200
        (app / "release").touch()
        served = [each.result() for each in answers if each not in refused]
        assert [each.status_code for each in served] == [200] * 5
        assert {each.text for each in served} == {"2"}


_PACKAGED = """
import azure.functions as func
import brought_along

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="who")
def who(req: func.HttpRequest) -> str:
    return brought_along.NAME
"""


@pytest.mark.parametrize("folder", [".python_packages/lib/site-packages", ".venv/lib/python{}/site-packages"])
def test_an_apps_own_packages_are_used(tmp_path: Path, folder: str) -> None:
    import sys

    app = write_app(tmp_path / "app", _PACKAGED)
    packages = app / folder.format(f"{sys.version_info.major}.{sys.version_info.minor}")
    packages.mkdir(parents=True)
    (packages / "brought_along.py").write_text("NAME = 'of the app'")
    with RunningHost(app) as host:
        assert host.client.get("/api/who").text == "of the app"


def test_probes_need_no_key_and_keys_are_listed_for_the_master(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", _CROWD)
    state = tmp_path / "state"
    with RunningHost(app, "--enable-auth", "--state", str(state)) as host:
        for method in ("GET", "POST"):
            for path in ("/admin/host/ping", "/admin/warmup"):
                assert host.client.request(method, path).status_code == 200
        kept = json.loads((state / "secrets/host.json").read_text())
        master = {"x-functions-key": kept["masterKey"]["value"]}
        for path in (
            "/admin/host/status",
            "/admin/host/keys",
            "/admin/host/systemkeys",
            "/admin/functions/hold/keys",
        ):
            assert host.client.get(path).status_code == 401
            assert host.client.get(path, headers=master).status_code == 200
        listed = host.client.get("/admin/host/keys", headers=master).json()["keys"]
        assert listed == [{"name": "default", "value": kept["functionKeys"][0]["value"]}]
        assert host.client.get("/admin/functions/none/keys", headers=master).status_code == 404
