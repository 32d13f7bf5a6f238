"""An app that tells which instance ran what, and several instances of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.local import environment, ports
from infra.local.app_instances import AppInstances
from tests.integration.functions_host.running_host import write_app

APP = r"""
import json, os, pathlib, time
import azure.functions as func
import azure.durable_functions as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
ME = os.environ["WEBSITE_INSTANCE_ID"]
NOTES = pathlib.Path(os.environ["NOTES"])


def note(what):
    with (NOTES / "notes").open("a") as file:
        file.write(f"{what} {ME} {time.time()}\n")


@app.route(route="who")
async def who(req: func.HttpRequest) -> str:
    return ME


@app.route(route="seen", methods=["POST"])
async def seen(req: func.HttpRequest) -> func.HttpResponse:
    told = {"body": req.get_body().decode(), "from": req.headers["x-forwarded-for"], "url": req.url}
    return func.HttpResponse(json.dumps(told), headers={"X-Mine": "kept"}, status_code=207)


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> str:
    return await client.start_new(req.route_params["name"], client_input=req.get_json())


@app.orchestration_trigger(context_name="context")
def one_after_another(context):
    ran = []
    for number in range(context.get_input()):
        ran.append((yield context.call_activity("work", number)))
    return [context.version, ran]


@app.activity_trigger(input_name="number")
def work(number: int) -> str:
    return ME


@app.orchestration_trigger(context_name="context")
def one_that_waits(context):
    return (yield context.call_activity("wait_for_release", context.get_input()))


@app.activity_trigger(input_name="given")
def wait_for_release(given: str) -> str:
    note("began")
    while not (NOTES / "release").exists():
        time.sleep(0.02)
    note("ended")
    return ME


@app.timer_trigger(arg_name="timer", schedule="* * * * * *", use_monitor=False)
async def every_second(timer: func.TimerRequest) -> None:
    note("fired")
"""


class SeveralInstances:
    """What a test asks of running instances."""

    def __init__(self, instances: AppInstances, client: httpx.AsyncClient, notes: Path) -> None:
        self.instances = instances
        self.client = client
        self.notes = notes

    def noted(self, what: str) -> list[tuple[str, float]]:
        """Instance and epoch second of each note of this kind."""
        path = self.notes / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [line.split() for line in lines]
        return [(instance, float(moment)) for kind, instance, moment in found if kind == what]

    async def until_noted(self, what: str, number: int = 1) -> list[tuple[str, float]]:
        """The notes of this kind, once there are this many."""
        async with asyncio.timeout(20):
            while len(found := self.noted(what)) < number:
                await asyncio.sleep(0.02)
        return found

    async def joined(self, name: str) -> None:
        """Waits until the engine knows the instance."""
        async with asyncio.timeout(20):
            while True:
                known = (await self.client.get(f"{self.instances.engine_url}/instances")).json()["instances"]
                if name in [entry["instance"] for entry in known]:
                    return
                await asyncio.sleep(0.05)

    def release(self) -> None:
        """Lets waiting activities end."""
        (self.notes / "release").touch()

    async def start(self, name: str, given: Any = "", at: str = "") -> str:
        """Starts an orchestration through the front, or at one instance; its id."""
        answer = await self.client.post(f"{at}/api/start/{name}", json=given)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def status(self, instance_id: str) -> dict[str, Any]:
        """The orchestration's status as the management API tells it."""
        answer = await self.client.get(f"/runtime/webhooks/durabletask/instances/{instance_id}")
        found: dict[str, Any] = answer.json()
        return found

    async def end_of(self, instance_id: str, seconds: float = 20) -> dict[str, Any]:
        """The status once the orchestration has ended."""
        async with asyncio.timeout(seconds):
            while True:
                found = await self.status(instance_id)
                if found["runtimeStatus"] in {"Completed", "Failed", "Terminated"}:
                    return found
                await asyncio.sleep(0.05)


def versioned(version: str, **more: str) -> str:
    """A host.json with this `defaultVersion`."""
    durable = {"defaultVersion": version, **more}
    return json.dumps({"version": "2.0", "extensions": {"durableTask": durable}})


@asynccontextmanager
async def several_instances(
    folder: Path,
    wanted: Mapping[str, int],
    *,
    host: str = '{"version": "2.0"}',
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[SeveralInstances]:
    """The app on these instances; all of them are gone afterwards."""
    app = write_app(folder / "app", APP, host=host)
    notes = folder / "notes"
    notes.mkdir()
    port = ports.free()
    instances = AppInstances(
        state=folder / "state",
        logs=folder / "logs",
        port=port,
        app=app,
        environment=environment.cleaned() | {"NOTES": str(notes)} | dict(env or {}),
        ready_path="/admin/host/ping",
        on_change=lambda: None,
    )
    try:
        await instances.start(wanted)
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
            yield SeveralInstances(instances, client, notes)
    finally:
        await instances.kill_all()
