"""Probes."""

from shared.database.engine import Database
from tests.integration.api.caller import Caller
from tests.support.settings import make_settings


async def test_a_process_without_anything_behind_it_is_live_but_not_ready(stranger: Caller) -> None:
    assert (await stranger("GET", "health/live")).json == {
        "status": "live",
        "version": "0.1.0",
        "commit": None,
    }
    response = await stranger("GET", "health/ready")
    assert response.status == 503
    assert 5 <= int(response.headers["retry-after"]) <= 7
    ready = response.json
    assert ready["status"] == "not_ready"
    found = {check["name"]: check["ok"] for check in ready["checks"]}
    assert found == {"database": False, "schema": False, "token_service": True}
    assert all(check["reason"] for check in ready["checks"] if not check["ok"])


async def test_a_whole_system_is_ready(api: Caller) -> None:
    response = await api("GET", "health/ready")
    assert response.status == 200, response.json
    assert {check["name"]: check["ok"] for check in response.json["checks"]} == {
        "database": True,
        "schema": True,
        "token_service": True,
    }
    assert all(check["milliseconds"] >= 0 for check in response.json["checks"])


async def test_without_the_token_service_it_is_not_ready(api: Caller) -> None:
    await api.simulator.stop()
    response = await api("GET", "health/ready")
    assert response.status == 503
    assert {check["name"] for check in response.json["checks"] if not check["ok"]} == {"token_service"}


async def test_an_unreachable_database_is_named_without_its_address(stranger: Caller) -> None:
    settings = make_settings(database_url="postgresql://app:hunter2@127.0.0.1:1/none")
    database = Database(settings)
    stranger.app.foundations.database = database
    response = await stranger("GET", "health/ready")
    await database.close()
    assert response.status == 503
    assert b"hunter2" not in response.body
    assert b"127.0.0.1:1" not in response.body
