"""The administrator of the database server: set last, once the server is Ready, in every run.

Every deployment sets the server again, which makes it ``Updating`` for a while. Setting an administrator then
fails (https://github.com/Azure/azure-postgresql/issues/127, read 2026-11-29).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.azure.tools import Runner
from infra.local.errors import LocalError

_ATTEMPTS = 10
_WAIT_SECONDS = 30.0
#: The server's answer while another change is in progress.
_PASSING = ("AadAuthOperationCannotBePerformedWhenServerIsNotAccessible", "ServerIsBusy", "ServerBusy")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who becomes administrator: object id, name of the role, and User, Group or ServicePrincipal."""

    id: str
    name: str
    kind: str


def ensure(
    runner: Runner,
    group: str,
    server: str,
    principal: Principal,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait for the server, set the administrator, restart the server where a static setting waits for it.

    Raises LocalError when the server is not Ready, or refuses, after ``_ATTEMPTS`` tries.
    """
    where = ["--resource-group", group]
    parameters = {"serverName": server, "principalId": principal.id}
    parameters |= {"principalName": principal.name, "principalType": principal.kind}
    given = [f"{name}={value}" for name, value in parameters.items()]
    template = ["--template-file", "infra/azure/administrator.bicep"]
    command = ["az", "deployment", "group", "create", *where, *template, "--name", "administrator"]
    for attempt in range(_ATTEMPTS):
        _wait_ready(runner, where, server, sleep)
        try:
            runner([*command, "--parameters", *given, "--output", "none"])
            break
        except LocalError as error:
            if attempt == _ATTEMPTS - 1 or not any(code in str(error) for code in _PASSING):
                raise
            sleep(_WAIT_SECONDS)
    if _restart_waits(runner, where, server):
        runner(["az", "postgres", "flexible-server", "restart", *where, "--name", server])
        _wait_ready(runner, where, server, sleep)


def _wait_ready(runner: Runner, where: list[str], server: str, sleep: Callable[[float], None]) -> None:
    state = "unknown"
    for _ in range(_ATTEMPTS * 4):
        shown: dict[str, Any] = json.loads(
            runner(["az", "postgres", "flexible-server", "show", *where, "--name", server])
        )
        state = str(shown.get("state"))
        if state == "Ready":
            return
        sleep(_WAIT_SECONDS)
    raise LocalError(f"the server {server} is {state}, not Ready")


def _restart_waits(runner: Runner, where: list[str], server: str) -> bool:
    shown: list[dict[str, Any]] = json.loads(
        runner(["az", "postgres", "flexible-server", "parameter", "list", *where, "--server-name", server])
    )
    return any(parameter.get("isConfigPendingRestart") for parameter in shown)
