"""What the Python worker's public tests assert of a host, with apps of our own.

They are `workers/tests` of Azure/azure-functions-python-worker (`endtoend` and the web host's part of
`unittests`), read 29 November 2026. `functions-host-fidelity.md` lists the counterparts.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.functions_host.running_host import RunningHost

_APPS = Path(__file__).parent / "worker_apps"
_PLAIN = "text/plain; charset=utf-8"
_BINARY = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """Functions in a file of another name, with blueprints in a folder."""
    app = tmp_path_factory.mktemp("worker") / "app"
    shutil.copytree(_APPS / "functions", app, ignore=shutil.ignore_patterns("__pycache__"))
    (app / "host.json").write_text('{"version": "2.0"}')
    settings = {
        "PYTHON_SCRIPT_FILE_NAME": "main.py",
        "PYTHON_ISOLATE_WORKER_DEPENDENCIES": "1",
        "WEBSITE_PING_METRICS_SCALE_ENABLED": "0",
    }
    with RunningHost(app, env=settings) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status", "body", "kind"),
    [
        ("text", 200, "plain", _PLAIN),
        ("async-text", 200, "plain, too", _PLAIN),
        ("untyped", 200, "without types", _PLAIN),
        ("out", 201, "made", _PLAIN),
        ("bytes", 500, "", None),
        ("nothing", 500, "", None),
        ("page", 200, "<h1>Grüße</h1>", "text/html; charset=utf-8"),
        ("empty", 200, "", _PLAIN),
        ("gone", 404, "gone", _PLAIN),
        ("own-class", 200, '{"status": "healthy"}', "application/json"),
        ("own-class?name=a", 200, '{"status": "healthy", "name": "a"}', "application/json"),
        ("generic?name=query", 200, "hello query", _PLAIN),
        ("fails", 500, "", None),
        ("fails-outside", 500, "", None),
        ("fails-untold", 500, "", None),
        ("own-loop", 200, "looped", _PLAIN),
        ("tasks", 200, "waited", _PLAIN),
        ("task-context", 200, "set before, nothing", _PLAIN),
        ("from-blueprint", 200, "of the blueprint", _PLAIN),
        ("from-second", 200, "of the second", _PLAIN),
        ("from-unregistered", 404, "", None),
        ("params/a/b", 200, '{"first": "a", "second": "b"}', _PLAIN),
    ],
)
def test_an_answer(host: RunningHost, path: str, status: int, body: str, kind: str | None) -> None:
    answer = host.client.get(f"/api/{path}")
    assert (answer.status_code, answer.text, answer.headers.get("content-type")) == (status, body, kind)


def test_the_home_page(host: RunningHost) -> None:
    assert host.client.get("/").status_code == 200


def test_a_body_of_json(host: RunningHost) -> None:
    assert host.client.post("/api/generic", content=b'{ "name": "body" }').text == "hello body"


def test_a_redirect(host: RunningHost) -> None:
    assert host.client.get("/api/redirect").status_code == 302
    assert host.client.get("/api/redirect", follow_redirects=True).text == "<h1>Grüße</h1>"


def test_a_request_of_get_arrives(host: RunningHost) -> None:
    headers = {"xxx": "zzz", "Max-Forwards": "10"}
    seen = host.client.get("/api/request", params={"a": 1, "b": ":%)"}, headers=headers).json()
    assert (seen["method"], seen["params"]) == ("GET", {"a": "1", "b": ":%)"})
    assert (seen["headers"]["xxx"], seen["headers"]["max-forwards"]) == ("zzz", "10")
    assert "/api/request?a=1" in seen["url"]


def test_a_request_of_post_arrives(host: RunningHost) -> None:
    seen = host.client.post("/api/request", params={"a": 1}, data={"key": "value"}).json()
    assert (seen["method"], seen["params"], seen["body"]) == ("POST", {"a": "1"}, "key=value")


def test_the_bytes_of_json_are_not_touched(host: RunningHost) -> None:
    body = b'{"foo":  "bar", "two":  4}'
    answer = host.client.post("/api/request", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["hash"] == hashlib.sha256(body).hexdigest()


def test_json_is_read(host: RunningHost) -> None:
    assert host.client.post("/api/json", json={"a": "abc", "d": 42}).json() == {"a": "abc", "d": 42}


def test_a_form_is_read(host: RunningHost) -> None:
    assert host.client.post("/api/form", data={"a": "1", "b": "ü"}).json() == {"a": "1", "b": "ü"}


@pytest.mark.parametrize("kind", ["", "image/png", "application/octet-stream"])
def test_binary_bodies_go_and_come(host: RunningHost, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = host.client.post("/api/binary", content=_BINARY, headers=headers)
    assert (answer.content, answer.headers["x-length"]) == (_BINARY, str(len(_BINARY)))


def test_the_context_of_an_invocation(host: RunningHost) -> None:
    name, folder, invocation, parent, _ = host.client.get("/api/context").json()
    assert (name, folder) == ("context", str(host.log.parent / "app"))
    assert len(invocation) == 36
    assert parent.startswith("00-")


def test_settings_and_the_folder_are_in_the_environment(host: RunningHost) -> None:
    told = {
        name: host.client.get(f"/api/environment/{name}").text
        for name in ("PYTHON_ISOLATE_WORKER_DEPENDENCIES", "AzureWebJobsScriptRoot")
    }
    assert list(told.values()) == ["1", str(host.log.parent / "app")]


def test_a_ping_that_asks_for_health(host: RunningHost) -> None:
    assert host.client.post("/admin/host/ping", params={"checkHealth": "1"}).status_code == 200


def test_several_cookies_of_one_name(host: RunningHost) -> None:
    assert host.client.get("/api/cookies/two").headers.get_list("set-cookie") == [
        "a=1; max-age=10; domain=; path=/; secure",
        "a=2; domain=; path=/x; httponly",
    ]


def test_a_cookie_without_attributes(host: RunningHost) -> None:
    assert host.client.get("/api/cookies/plain").headers.get_list("set-cookie") == ["foo=bar; domain=; path="]


@pytest.mark.parametrize("kind", ["empty", "malformed"])
def test_what_is_no_cookie_is_none(host: RunningHost, kind: str) -> None:
    answer = host.client.get(f"/api/cookies/{kind}")
    assert (answer.status_code, answer.headers.get_list("set-cookie")) == (200, [])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("time", "Can not parse value Dummy of expires in the cookie due to invalid format."),
        ("number", "Cannot parse value Dummy of 'cookie.maxAge' to float."),
    ],
)
def test_a_cookie_that_cannot_be(host: RunningHost, kind: str, reason: str) -> None:
    assert host.client.get(f"/api/cookies/{kind}").status_code == 500
    host.wait_for(reason)


@pytest.mark.parametrize(
    ("path", "told", "never"),
    [
        (
            "levels",
            [f"{level} of {who}" for level in ("info", "warning", "error") for who in ("mine", "the root")],
            ["debug of mine", "debug of the root"],
        ),
        ("handled", ["handled with grace", "ZeroDivisionError: division by zero"], []),
        ("fails", ["ZeroDivisionError: division by zero"], []),
        ("prints", ["printed plainly", "printed and flushed", "printed as an error"], []),
        ("lines", ["line one", "line two", "line three"], []),
        ("threads", ["thread 1 at work", "thread 2 at work", "thread 3 at work"], []),
        ("async-threads", ["async thread 1", "async thread 2"], []),
        ("pool", ["pool at work"], []),
        ("own-loop", ["in a loop of its own"], []),
        ("tasks", ["task one", "task two", "task three", "called soon"], []),
    ],
)
def test_what_is_logged(host: RunningHost, path: str, told: list[str], never: list[str]) -> None:
    before = len(host.output)
    host.client.get(f"/api/{path}")
    function = path.replace("-", "_")
    host.wait_for(rf"(?s)\A.{{{before}}}.*Executed 'Functions\.{function}'")
    said = host.output[before:].splitlines()
    counted = {line: sum(line in each for each in said) for line in told}
    assert all(counted.values()), counted
    assert not [line for line in never if line in host.output[before:]]


def test_functions_that_block_have_a_thread_each(host: RunningHost) -> None:
    with ThreadPoolExecutor(2) as crowd:
        answers = crowd.map(lambda _: host.client.get("/api/meets").text, range(2))
    assert list(answers) == ["met", "met"]


@pytest.fixture(scope="module", params=["fastapi", "flask"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A whole site as one function, below no prefix."""
    app = tmp_path_factory.mktemp(request.param) / "app"
    app.mkdir()
    (app / "function_app.py").write_text((_APPS / "site" / f"{request.param}_site.py").read_text())
    (app / "host.json").write_text(
        json.dumps({"version": "2.0", "extensions": {"http": {"routePrefix": ""}}})
    )
    with RunningHost(app) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/", 404, None),
        ("/greet", 200, "hello world"),
        ("/greet?name=query", 200, "hello query"),
        ("/path/1", 200, "hello 1"),
        ("/missing", 404, {"detail": "no such thing"}),
        ("/fails", 500, None),
        ("/empty", 200, ""),
        ("/page", 200, "<h1>Grüße</h1>"),
    ],
)
def test_an_answer_of_a_site(site: RunningHost, path: str, status: int, body: object) -> None:
    answer = site.client.get(path)
    assert answer.status_code == status
    if isinstance(body, str):
        assert answer.text == body
    elif body is not None:
        assert answer.json() == body


def test_a_site_takes_text(site: RunningHost) -> None:
    answer = site.client.post("/text", content=b"dummy", headers={"Content-Type": "text/plain"})
    assert answer.text == "hello dummy"


def test_a_site_takes_json(site: RunningHost) -> None:
    given = {"name": "apple", "description": "yummy"}
    assert site.client.post("/json", json=given).json() == given


def test_a_site_takes_bytes(site: RunningHost) -> None:
    answer = site.client.post("/binary", content=_BINARY, headers={"Content-Type": "image/png"})
    assert (answer.content, answer.headers["content-type"]) == (_BINARY, "image/png")


def test_a_site_redirects(site: RunningHost) -> None:
    assert site.client.get("/redirect").status_code == 302
    assert site.client.get("/redirect", follow_redirects=True).text == "<h1>Grüße</h1>"


def test_a_site_does_not_hide_the_host(site: RunningHost) -> None:
    assert site.client.post("/admin/host/ping", params={"checkHealth": "1"}).status_code == 200


def test_what_a_site_logs(site: RunningHost) -> None:
    site.client.get("/greet?name=the-log")
    site.wait_for(r"\] greeting the-log\n")


def test_the_failure_of_a_site_is_logged(site: RunningHost) -> None:
    site.client.get("/fails")
    site.wait_for("ZeroDivisionError: division by zero")
