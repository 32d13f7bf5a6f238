"""What administrators do: each point through the running system."""

import asyncio
from typing import Any

import pytest

from infra.local.api import Api
from infra.local.stack import Stack
from shared.services.identity.further_tenants import KNOWN_AFTER
from tests.acceptance.conftest import AcceptancePoint
from tests.support.person import Person, at, meeting

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTOSO = "7d9f3d2c-3c1f-4b52-9a52-4e3f0a5d8c11"
COMPONENTS = {
    *("database", "graph", "token_service", "storage", "durable", "durable_backlog", "job_lateness", "mail"),
    "archive_runs",
}


async def test_settings_are_in_force_at_once(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A tenant's zone and travel words hold for the next configuration and run; null takes them back."""
    person = await Person.join(stack, "settings", [meeting("Bahnfahrt", at(9)), meeting("Flight", at(12))])
    wish = {"default_time_zone": "Europe/Vienna", "travel_words": ["Bahnfahrt"]}
    set_to = (await person.api.request("PATCH", "system/settings", wish, if_match="*")).json()
    archived = await person.configure("Timesheet", purpose="timesheet", time_zone=None)
    zone = (await person.get(archived.path))["time_zone"]
    await person.archive(archived)
    subjects = await person.subjects("Timesheet")
    back = (await person.api.request("PATCH", "system/settings", dict.fromkeys(wish), if_match="*")).json()
    acceptance_point(
        measured=f"{zone}, {subjects} taken, chosen {len(set_to['chosen'])} then {len(back['chosen'])}",
        bound="Europe/Vienna, ['Bahnfahrt'] taken, chosen 2 then 0",
    )
    assert (zone, subjects) == ("Europe/Vienna", ["Bahnfahrt"])
    assert (len(set_to["chosen"]), back["chosen"]) == (2, [])


async def test_health_tells_what_fails(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Every part of the system is probed, and the one that fails is named."""
    admin = Api(stack.client, stack.api, await stack.token())

    async def look() -> dict[str, Any]:
        health: dict[str, Any] = (await admin.request("GET", "system/health")).json()
        return health

    well = await look()
    fault = {"match": {"path_regex": "users"}, "kind": "status", "status": 503, "times": None}
    await stack.simulator("POST", "faults", fault)
    ill = well
    try:
        # A report is kept for some seconds.
        async with asyncio.timeout(60):
            while ill["checked_at"] == well["checked_at"]:
                await asyncio.sleep(0.2)
                ill = await look()
    finally:
        await stack.simulator("DELETE", "faults")
    failing = [
        each["name"] for each in ill["components"] if each["status"] not in ("healthy", "not_configured")
    ]
    acceptance_point(
        measured=f"{well['status']} of {len(well['components'])} parts, then {failing}",
        bound="healthy of 7 parts, then ['graph']",
    )
    assert {each["name"] for each in well["components"]} == COMPONENTS
    assert well["status"] == "healthy", well
    assert failing == ["graph"]
    # A database may be newer than the app, while the next version is deployed.
    assert well["schema_revision"] >= well["schema_expected"]


async def test_further_tenant_gets_and_loses_access(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """A row lets another tenant's people in, to see their own tenant alone, and takes them out at once."""
    admin = Api(stack.client, stack.api, await stack.token())
    other = Api(stack.client, stack.api, await stack.token("admin@contoso.example.com", tenant=CONTOSO))
    await Person.join(stack, "athome", [])

    async def asked() -> int:
        return (await other.request("GET", "users", accept=(401,))).status_code

    before = await asked()
    made = await admin.request("POST", "tenants", {"id": CONTOSO, "name": "Contoso"})
    if stack.instances is not None:
        # The other instances look for tenants they do not know once in so long (design.md).
        await asyncio.sleep(KNOWN_AFTER.total_seconds() + 0.1)
    inside = (await other.request("GET", "users")).json()["items"]
    tenants = (await other.request("GET", "tenants", accept=(403, 404))).status_code
    await admin.request("PATCH", f"tenants/{CONTOSO}", {"active": False}, if_match=made.headers["ETag"])
    after = await asked()
    acceptance_point(
        measured=f"{before}, then {len(inside)} users seen, then {after}",
        bound="401, then 0 users seen, then 401",
    )
    assert (before, inside, after) == (401, [], 401)
    assert tenants in (403, 404)
