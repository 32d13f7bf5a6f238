"""The doctor finds what is set up wrongly and says what to do, for Admins of the home tenant."""

from typing import Any

import pytest

from shared.errors import Unavailable
from shared.services.operation import doctor
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People

PATH = "v1/system/doctor"


class Durable:
    async def get_orchestration_state(self, instance_id: str, *, fetch_payloads: bool = True) -> None:
        return None


async def examined(api: Caller, token: str) -> tuple[bool, dict[str, dict[str, Any]]]:
    response = await api("GET", PATH, token=token)
    assert response.status == 200, response.json
    assert all((check["remedy"] is None) == (check["status"] == "ok") for check in response.json["checks"])
    return response.json["ok"], {check["name"]: check for check in response.json["checks"]}


async def test_a_whole_installation_needs_nothing(api: Caller, people: People) -> None:
    api.durable = Durable()
    ok, checks = await examined(api, api.person(people.ada.oid, "Admin"))
    states = {name: check["status"] for name, check in checks.items()}
    assert ok, checks
    assert states.pop("webhook") == "not_configured"
    assert set(states.values()) == {"ok"}
    assert "app_user" in checks["database_role"]["detail"]


async def test_only_admins_of_the_home_tenant_ask(api: Caller, people: People) -> None:
    for token in (people.auditor, people.ada.token):
        problem(await api("GET", PATH, token=token), 403, "role_missing")


async def test_each_fault_is_told_with_its_remedy(
    api: Caller, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise Unavailable("the storage cannot be read or written")

    async def without_roles() -> str:
        return "e30.eyJyb2xlcyI6WyJVc2VyLlJlYWQuQWxsIl19.x"

    api.durable = object()
    api.app.operation.system_health._stores = (away,)
    monkeypatch.setattr(api.app.operation.doctor._graph, "token", without_roles)
    monkeypatch.setattr(doctor, "_expected_revision", lambda: "9999")
    ok, checks = await examined(api, people.admin)
    assert not ok
    wrong = {name for name, check in checks.items() if check["status"] == "wrong"}
    assert {"graph_consent", "storage", "durable", "database_schema"} <= wrong
    assert "GroupMember.Read.All" in checks["graph_consent"]["detail"]
    assert "consent" in checks["graph_consent"]["remedy"]
    assert "expects 9999" in checks["database_schema"]["detail"]
    assert "127.0.0.1" not in str(checks)


async def test_an_app_without_a_mailbox_is_told_so(api: Caller) -> None:
    api.durable = Durable()
    ok, checks = await examined(api, api.token("Admin", app_only=True))
    assert (ok, checks["mailbox_scope"]["status"]) == (False, "unknown")
