"""How the host starts, refuses to start, reads its settings and ends."""

import fcntl
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.functions_host.running_host import (
    FUNC,
    RunningHost,
    eventually,
    refusal,
    write_app,
)

APP = """
import asyncio, os, pathlib
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="setting/{name}")
def setting(req: func.HttpRequest) -> str:
    return os.environ.get(req.route_params["name"], "not set")


@app.route(route="folder")
def folder(req: func.HttpRequest) -> str:
    return os.getcwd()


@app.route(route="wait")
async def wait(req: func.HttpRequest) -> str:
    print("waiting", flush=True)
    while not pathlib.Path(req.params["until"]).exists():
        await asyncio.sleep(0.01)
    return "done"


@app.route(route="other")
def other(req: func.HttpRequest) -> str:
    return "other"
"""
SETTINGS = """{
  // what a person writes
  "IsEncrypted": false,
  "Values": {"FROM_FILE": "file", "FROM_BOTH": "file", "NUMBER": 7, "YES": true, "URL": "http://x/*y*/",},
  "Host": {"CORS": "https://front.example, https://other.example", "CORSCredentials": true}
}"""
HOST = """{
  "version": "2.0",
  /* routes of
     version 1 */
  "extensions": {"http": {"routePrefix": "v1", "customHeaders": {"X-Content-Type-Options": "nosniff"}}},
}"""


def test_settings_routes_and_cors_come_from_the_app_s_files(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", APP, host=HOST, settings=SETTINGS)
    with RunningHost(app, env={"FROM_BOTH": "environment"}) as host:

        def setting(name: str) -> str:
            return host.client.get(f"/v1/setting/{name}").text

        assert setting("FROM_FILE") == "file"
        assert setting("FROM_BOTH") == "environment"
        assert (setting("NUMBER"), setting("YES"), setting("URL")) == ("7", "true", "http://x/*y*/")
        assert setting("FUNCTIONS_WORKER_RUNTIME") == "python"
        assert setting("WEBSITE_HOSTNAME") == f"localhost:{host.client.base_url.port}"
        assert host.client.get("/v1/folder").text == str(app)
        assert host.client.get("/api/folder").status_code == 404
        allowed = host.client.get("/v1/folder", headers={"Origin": "https://front.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://front.example"
        assert allowed.headers["access-control-allow-credentials"] == "true"
        assert allowed.headers["x-content-type-options"] == "nosniff"
        strange = host.client.get("/v1/folder", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in strange.headers
        preflight = host.client.options(
            "/v1/folder",
            headers={"Origin": "https://other.example", "Access-Control-Request-Method": "PUT"},
        )
        assert (preflight.status_code, preflight.headers["access-control-allow-methods"]) == (204, "PUT")


def test_host_json_can_be_overridden_from_the_environment(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", APP)
    override = {
        "AzureFunctionsJobHost__extensions__http__routePrefix": "",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000",
    }
    with RunningHost(app, "--functions", "folder", env=override) as host:
        assert host.client.get("/folder").text == str(app)
        assert host.client.get("/other").status_code == 404
        assert host.client.post("/folder", content=b"x" * 1000).status_code == 200
        assert host.client.post("/folder", content=b"x" * 1001).status_code == 413


def test_func_start_serves_the_folder_and_passes_over_what_it_does_not_know(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", APP)
    # Modules of the app win over those of the host, whatever they are called.
    (app / "infra").mkdir()
    (app / "infra" / "__init__.py").write_text("raise RuntimeError('not the host')")
    (tmp_path / "func").symlink_to(FUNC)
    command = [str(tmp_path / "func"), "start", "--verbose", "--language-worker", "python", "--no-build"]
    with RunningHost(app, command=command) as host:
        assert host.client.get("/api/folder").text == str(app)
        assert "Passed over, they mean nothing to this host: --language-worker --no-build" in host.output
        assert host.stop() == 0


def test_func_tells_its_version() -> None:
    assert subprocess.check_output([FUNC, "--version"], text=True).startswith("4.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_running_invocation_is_answered_before_the_host_ends(
    tmp_path: Path, number: signal.Signals
) -> None:
    release = tmp_path / "release"
    with (
        RunningHost(write_app(tmp_path / "app", APP)) as host,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(host.client.get, "/api/wait", params={"until": str(release)})
        host.wait_for("waiting")
        host.process.send_signal(number)
        host.wait_for("Stopping")
        port = host.client.base_url.port
        eventually(lambda: _is_closed(port), "the port to be closed")
        release.touch()

        assert answer.result().text == "done"
        assert host.process.wait(10) == 0
        assert "Host stopped" in host.output


def test_an_invocation_that_does_not_end_is_abandoned_in_time(tmp_path: Path) -> None:
    host = RunningHost(write_app(tmp_path / "app", APP), "--shutdown-timeout", "0.1")
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(host.client.get, "/api/wait", params={"until": str(tmp_path / "never")})
        host.wait_for("waiting")
        host.process.send_signal(signal.SIGTERM)

        assert host.process.wait(10) == 0
        with pytest.raises(Exception, match="disconnected"):
            lost.result()
    host.client.close()
    assert "1 invocations did not end in time and are abandoned" in host.output


def test_a_second_host_on_the_same_port_is_refused_in_one_line(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", APP)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = refusal(app, "--port", str(port))

    assert told == (
        f"Cannot start: port {port} on 127.0.0.1 cannot be used (Address already in use); "
        "choose another with --port\n"
    )


def test_a_second_host_on_the_same_state_is_refused(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", APP)
    state = tmp_path / "state"
    state.mkdir()
    with (state / "lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = refusal(app, "--state", str(state), "--shutdown-timeout", "0")

    assert told == f"Cannot start: the state folder {state} is used by another host (process 4711)\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such\n", "ModuleNotFoundError: No module named 'no_such' (function_app.py line 1)"),
        ("x = 1\n\nraise ValueError('two\\nlines')\n", "ValueError: two lines (function_app.py line 3)"),
        ("def broken(:\n", "SyntaxError: invalid syntax (function_app.py, line 1)"),
        ("import sys; sys.exit(5)\n", "ended the process while it was loaded (SystemExit(5))"),
        ("x = 1\n", "Could not find top level function app instances in function_app.py."),
        (APP + "\n@app.route(route='twice')\ndef other(req: func.HttpRequest) -> str: ...\n", "other"),
    ],
)
def test_an_app_that_cannot_be_loaded_is_one_line(tmp_path: Path, code: str, reason: str) -> None:
    told = refusal(write_app(tmp_path / "app", code))

    assert told.count("\n") == 1
    assert told.startswith("Cannot start: ")
    assert reason in told


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("function_app.py", None, "app has no function_app.py"),
        ("host.json", None, "is not a Functions app: it has no host.json"),
        ("host.json", '{"version": "2.0"', "host.json is not valid JSON"),
        ("host.json", '{"version": "1.0"}', 'host.json: "version" must be "2.0"'),
        ("local.settings.json", '{"IsEncrypted": true}', "local.settings.json is encrypted"),
        ("local.settings.json", '{"Values": {"A": {"B": 1}}}', "the value of A must be a string"),
        (
            "local.settings.json",
            '{"Values": {"FUNCTIONS_WORKER_RUNTIME": "node"}}',
            "FUNCTIONS_WORKER_RUNTIME is 'node'",
        ),
    ],
)
def test_files_that_do_not_make_an_app_are_one_line(
    tmp_path: Path, file: str, content: str | None, reason: str
) -> None:
    app = write_app(tmp_path / "app", APP)
    if content is None:
        (app / file).unlink()
    else:
        (app / file).write_text(content)

    told = refusal(app)

    assert told.count("\n") == 1
    assert reason in told


def test_verbose_shows_the_traceback_of_an_app_that_cannot_be_loaded(tmp_path: Path) -> None:
    told = refusal(write_app(tmp_path / "app", "1 / 0\n"), "--verbose")

    assert "Traceback (most recent call last)" in told
    assert "ZeroDivisionError: division by zero (function_app.py line 1)" in told


def _is_closed(port: int | None) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port or 0)) != 0
