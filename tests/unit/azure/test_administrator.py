"""The administrator of the database comes last, however long the server takes (no Azure is asked)."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from infra.local.azure import administrator
from infra.local.commands.azure import settings_of
from infra.local.errors import LocalError

PRINCIPAL = administrator.Principal("00000000-0000-4000-8000-000000000001", "admins", "Group")


class Server:
    """Answers as ``az`` does for a server that passes through some states."""

    def __init__(self, states: list[str], refusals: list[str], *, pending: bool = False) -> None:
        self.states, self.refusals, self.pending = states, refusals, pending
        self.asked: list[str] = []

    def __call__(self, command: Sequence[str]) -> str:
        what = " ".join(command[1:4])
        self.asked.append(what)
        if what == "postgres flexible-server show":
            return json.dumps({"state": self.states.pop(0) if len(self.states) > 1 else self.states[0]})
        if what == "postgres flexible-server parameter":
            return json.dumps([{"name": "max_connections", "isConfigPendingRestart": self.pending}])
        if what == "deployment group create" and self.refusals:
            raise LocalError(self.refusals.pop(0))
        return ""


def ensure(server: Server) -> list[float]:
    slept: list[float] = []
    administrator.ensure(server, "group", "server", PRINCIPAL, slept.append)
    return slept


def test_it_waits_until_the_server_is_ready_and_tries_again_while_it_is_busy() -> None:
    refusals = [f"az failed: {code}" for code in administrator._PASSING]
    server = Server(["Updating", "Updating", "Ready"], refusals)
    assert len(ensure(server)) == 5
    assert server.asked.count("deployment group create") == 4
    assert "postgres flexible-server restart" not in server.asked


def test_a_static_setting_that_waits_for_it_gets_its_restart() -> None:
    server = Server(["Ready"], [], pending=True)
    ensure(server)
    assert "postgres flexible-server restart" in server.asked


def test_a_refusal_that_does_not_pass_is_told_at_once() -> None:
    server = Server(["Ready"], ["az deployment failed: AuthorizationFailed"])
    with pytest.raises(LocalError, match="AuthorizationFailed"):
        ensure(server)
    assert server.asked.count("deployment group create") == 1


def test_a_server_that_never_is_ready_is_given_up() -> None:
    with pytest.raises(LocalError, match="is Stopped, not Ready"):
        ensure(Server(["Stopped"], []))


def test_what_only_a_person_knows_is_asked_for_and_a_budget_keeps_its_month() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    with pytest.raises(LocalError, match="ADMIN_ASSISTANT_CLIENT_ID"):
        settings_of({"AZURE_LOCATION": "westeurope"}, "dev", "personal", now)
    known = {"AZURE_LOCATION": "westeurope", "ADMIN_ASSISTANT_CLIENT_ID": "id"}
    known |= {"ADMIN_ASSISTANT_ALERT_EMAILS": "a@example.com", "ADMIN_ASSISTANT_BUDGET": "50"}
    first = settings_of(known, "prod", "firm", now)
    assert first["ADMIN_ASSISTANT_BUDGET_START"] == "2026-11-01"
    assert "ADMIN_ASSISTANT_BUDGET_START" not in settings_of(known | first, "prod", "firm", now)
