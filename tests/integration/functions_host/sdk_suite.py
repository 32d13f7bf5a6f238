"""The two apps of the Durable SDK's suite, on one host or on several instances, asked over HTTP alone."""

import asyncio
import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.local import app_instances, environment, ports
from infra.local.app_instances import AppInstances
from tests.integration.functions_host.running_host import RunningHost, eventually

_APPS = Path(__file__).parent / "durable_apps"
_ENDED = {"COMPLETED", "FAILED", "TERMINATED"}


class SdkApp:
    """One running app of the suite; `name` is its style, `sdk_native` or `sdk_older`."""

    def __init__(self, client: httpx.Client, folder: Path, logs: Callable[[], str]) -> None:
        self.client = client
        self.folder = folder
        self.logs = logs

    def post(self, path: str, given: Any) -> httpx.Response:
        """Posts JSON, `null` too."""
        return self.client.post(path, content=json.dumps(given), headers={"Content-Type": "application/json"})

    def start(self, orchestrator: str, given: Any = None) -> str:
        """Starts an orchestration; its id."""
        answer = self.post(f"/api/start/{orchestrator}", given)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def ask(self, instance: str, action: str, given: Any = None) -> httpx.Response:
        """One operation of the client on an instance."""
        return self.post(f"/api/instance/{instance}/{action}", given)

    def state(self, instance: str) -> Any:
        """Status, input, output and custom status; None for an instance that there is not."""
        return self.ask(instance, "state").json()

    def until(self, instance: str, *wanted: str) -> Any:
        """The state once the status is one of these."""

        def probe() -> Any:
            found = self.state(instance)
            return found if found and found["status"] in wanted else None

        return eventually(probe, f"{instance} to be {wanted}")

    def run(self, orchestrator: str, given: Any = None) -> tuple[str, Any]:
        """Status and output at the end of an orchestration."""
        found = self.until(self.start(orchestrator, given), *_ENDED)
        return found["status"], found["output"]

    def signal(self, entity: str, key: str, operation: str, given: Any = None, **more: Any) -> None:
        """Signals an entity through the client."""
        body = {"operation": operation, "input": given, **more}
        assert self.post(f"/api/entity/{entity}/{key}", body).status_code == 202

    def entity(self, entity: str, key: str) -> Any:
        """What the client reads: `{"state": …}`, or None where there is no such entity."""
        return self.client.get(f"/api/entity/{entity}/{key}").json()

    def until_entity(self, entity: str, key: str, wanted: Any) -> None:
        """Waits until the client reads this of the entity."""
        eventually(lambda: self.entity(entity, key) == wanted, f"{entity} {key} to be {wanted}")

    def until_logged(self, pattern: str) -> str:
        """Waits for a line of the host's log; returns it."""
        found = eventually(lambda: re.search(pattern, self.logs()), f"{pattern!r} in the log")
        return found[0]


def fresh(prefix: str = "k") -> str:
    """A name that nothing else has."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@contextmanager
def running(name: str, folder: Path) -> Iterator[SdkApp]:
    """The app on one host; on the instances of `DEV_INSTANCES` where that is set."""
    shutil.copytree(_APPS / name, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    settings = {"SDK_FOLDER": str(folder)}
    wanted = app_instances.from_environment()
    if wanted is None:
        with RunningHost(folder / "app", env=settings) as host:
            yield SdkApp(host.client, folder, lambda: host.output)
        return
    port = ports.free()
    instances = AppInstances(
        state=folder / "state",
        logs=folder / "logs",
        port=port,
        app=folder / "app",
        environment=environment.cleaned() | settings,
        ready_path="/api/ping",
        on_change=lambda: None,
    )
    with asyncio.Runner() as runner:
        try:
            runner.run(instances.start(wanted))
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
                yield SdkApp(client, folder, lambda: _all_logs(folder / "logs"))
        finally:
            runner.run(instances.kill_all())


def _all_logs(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob("*.log")))
