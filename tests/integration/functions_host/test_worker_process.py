"""What the real host does when the app's process ends or takes too long, with the one process of ours."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx

from tests.integration.functions_host.running_host import RunningHost, eventually, write_app

_APP = """
import asyncio, os, pathlib, sys, threading, time
import azure.functions as func
import azure.durable_functions as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
count = 0
FOLDER = pathlib.Path(__file__).parent


@app.route(route="count")
async def counted(req: func.HttpRequest) -> str:
    global count
    count += 1
    return str(count)


@app.route(route="exit/{where}")
async def ends(req: func.HttpRequest) -> str:
    if req.route_params["where"] == "thread":
        await asyncio.to_thread(os._exit, 7)
    os._exit(7)


@app.route(route="slow")
async def slow(req: func.HttpRequest) -> str:
    (FOLDER / "slow").touch()
    await asyncio.sleep(60)
    return "never"


@app.route(route="stuck")
def stuck(req: func.HttpRequest) -> str:
    time.sleep(60)
    return "never"


@app.route(route="start")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> str:
    return await client.start_new("survives", "the-one")


@app.orchestration_trigger(context_name="context")
def survives(context):
    return (yield context.call_activity("dies_once", "x"))


@app.activity_trigger(input_name="given")
def dies_once(given: str) -> str:
    died = FOLDER / "died"
    if not died.exists():
        died.touch()
        os._exit(1)
    return "alive"
"""


def counted(host: RunningHost) -> str | None:
    """What the counter says; None while the worker is replaced (503)."""
    answer = host.client.get("/api/count")
    return answer.text if answer.status_code == 200 else None


def test_a_process_that_a_function_ends_is_the_workers_not_the_hosts(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", _APP)
    with RunningHost(app) as host, ThreadPoolExecutor() as crowd:
        assert [host.client.get("/api/count").text for _ in range(2)] == ["1", "2"]
        for where in ("here", "thread"):
            (app / "slow").unlink(missing_ok=True)
            other = crowd.submit(host.client.get, "/api/slow")
            eventually((app / "slow").exists, "the slow request")

            assert host.client.get(f"/api/exit/{where}").status_code == 500
            assert other.result().status_code == 500
            # A new worker remembers nothing; the host has its port and its process still.
            assert eventually(lambda: counted(host), "the new worker") == "1"
            assert host.process.poll() is None
        assert "python exited with code 7" in host.output
        assert host.stop() == 0


def test_durable_work_that_ended_the_worker_runs_again(tmp_path: Path) -> None:
    with RunningHost(write_app(tmp_path / "app", _APP)) as host:
        # Its own answer may be lost with the worker, and so may others.
        with suppress(httpx.TransportError):
            host.client.get("/api/start")

        def ended() -> str | None:
            found: str | None = None
            with suppress(httpx.TransportError):
                answer = host.client.get("/runtime/webhooks/durabletask/instances/the-one")
                found = answer.json()["output"] if answer.status_code == 200 else None
            return found

        assert eventually(ended, "the orchestration") == "alive"


def test_an_invocation_that_takes_too_long_is_answered_and_the_worker_replaced(tmp_path: Path) -> None:
    limits = '{"version": "2.0", "functionTimeout": "00:00:01"}'
    with RunningHost(write_app(tmp_path / "app", _APP, host=limits)) as host:
        assert host.client.get("/api/count").text == "1"
        assert host.client.get("/api/stuck").status_code == 500
        assert eventually(lambda: counted(host), "the new worker") == "1"
        assert "Timeout value of 1 s was exceeded by function: Functions.stuck" in host.output
