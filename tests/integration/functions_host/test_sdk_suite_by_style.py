"""What the Durable SDK's public end-to-end suite asserts in one style alone; see `test_sdk_suite.py`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.functions_host.running_host import eventually
from tests.integration.functions_host.sdk_suite import SdkApp, fresh

_LARGE = 300_000


# Entities of the native style


def test_a_critical_section(native: SdkApp) -> None:
    assert native.run("locks", {"key": fresh(), "amount": 5}) == ("COMPLETED", 5)


def test_a_critical_section_that_fails_lets_go(native: SdkApp) -> None:
    key = fresh()
    assert native.run("locks", {"key": key, "amount": 1, "fails": True})[0] == "FAILED"
    assert native.run("locks", {"key": key, "amount": 5}) == ("COMPLETED", 6)


def test_an_entity_signals_an_entity(native: SdkApp) -> None:
    key = fresh()
    assert native.run("messages", {"key": key, "operation": "signal"})[0] == "COMPLETED"
    native.until_entity("counter", key, {"state": 7})


def test_an_entity_starts_an_orchestration(native: SdkApp) -> None:
    key = fresh()
    status, started = native.run("messages", {"key": key, "operation": "start"})
    assert status == "COMPLETED"
    native.until_entity("counter", key, {"state": 10})
    assert native.state(started)["status"] == "COMPLETED"


def test_a_failing_operation_fails_its_caller(native: SdkApp) -> None:
    assert native.run("upsets", {"key": fresh(), "handles": False})[0] == "FAILED"


def test_a_failing_operation_is_handled_by_its_caller(native: SdkApp) -> None:
    status, output = native.run("upsets", {"key": fresh(), "handles": True})
    assert status == "COMPLETED"
    assert "no" in output["caught"]


def test_an_operation_without_an_answer_is_none(native: SdkApp) -> None:
    assert native.run("resets", fresh()) == ("COMPLETED", [None, 0])


def test_a_delayed_signal_of_a_client_comes_later(native: SdkApp) -> None:
    key = fresh()
    native.signal("counter", key, "add", 9, after=2)
    assert native.entity("counter", key) is None
    native.until_entity("counter", key, {"state": 9})


def test_a_delayed_signal_of_an_orchestration_comes_later(native: SdkApp) -> None:
    key = fresh()
    assert native.run("signals_later", key)[0] == "COMPLETED"
    assert native.entity("counter", key) is None
    native.until_entity("counter", key, {"state": 4})


def test_entities_are_listed(native: SdkApp) -> None:
    prefix = fresh("list")
    for each in "abc":
        native.signal("counter", f"{prefix}-{each}", "add", 1)
    wanted = {f"{prefix}-{each}": ["counter", 1] for each in "abc"}
    found = f"/api/entities/@counter@{prefix}"
    eventually(lambda: native.client.get(found).json() == wanted, "the three")


def test_empty_entities_are_cleaned_away(native: SdkApp) -> None:
    key = fresh()
    native.signal("thing", key, "put", 1)
    native.until_entity("thing", key, {"state": 1})
    native.signal("thing", key, "drop")
    native.until_entity("thing", key, None)
    removed, released = native.post("/api/clean", None).json()
    assert removed >= 0
    assert released >= 0


# Clients of the native style


def test_waiting_for_the_start(native: SdkApp) -> None:
    started = native.start("approval")
    assert native.ask(started, "begun").json()["status"] in {"PENDING", "RUNNING"}
    native.ask(started, "terminate")


def test_a_schedule_fires_again_and_again(native: SdkApp) -> None:
    key = fresh("often")
    assert native.post(f"/api/schedule/{key}", key).json() == [key, "ACTIVE"]
    eventually(lambda: (native.entity("counter", key) or {"state": 0})["state"] >= 2, "two runs")
    assert native.client.get(f"/api/schedule/{key}").json() == [key, "ACTIVE"]
    native.client.delete(f"/api/schedule/{key}")


def test_a_schedule_that_is_deleted_is_gone(native: SdkApp) -> None:
    key = fresh("once")
    native.post(f"/api/schedule/{key}", key)
    assert native.client.delete(f"/api/schedule/{key}").json() is None
    assert native.client.get(f"/api/schedule/{key}").json() is None


# Exporting histories


def test_histories_are_exported(native: SdkApp) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=1)
    started = [native.start("chain") for _ in range(2)]
    for each in started:
        native.until(each, "COMPLETED")
    container = fresh("export")
    native.post(f"/api/export/{container}", {"mode": "batch", "from": begun.isoformat()})

    def ended() -> Any:
        job = native.client.get(f"/api/export/{container}").json()
        return job if job and job[0] != "Active" else None

    assert eventually(ended, "the export")[0] == "Completed"
    files = [path for path in (native.folder / "exported" / container).rglob("*") if path.is_file()]
    text = "".join(path.read_text() for path in files)
    assert all(each in text for each in started)


def test_an_export_without_an_end_is_refused(native: SdkApp) -> None:
    container = fresh("endless")
    native.post(f"/api/export/{container}", {"mode": "continuous", "from": datetime.now(UTC).isoformat()})

    def failed() -> Any:
        job = native.client.get(f"/api/export/{container}").json()
        return job if job and job[0] == "Failed" else None

    assert "continuous" in eventually(failed, "the refusal")[2].lower()


# Large payloads


def _stored(app: SdkApp, instance: str) -> list[Path]:
    return list((app.folder / "payloads" / instance).glob("*"))


@pytest.mark.parametrize("size", [32, _LARGE])
def test_a_payload_goes_through_activities_output_and_status(native: SdkApp, size: int) -> None:
    given = {"data": "x" * size, "steps": []}
    started = native.start("carries", given)
    ended = native.until(started, "COMPLETED")
    wanted = given | {"steps": ["activity", "activity"]}
    assert (ended["input"], ended["output"], ended["custom"]) == (given, wanted, wanted)
    assert bool(_stored(native, started)) is (size == _LARGE)


def test_a_large_payload_goes_through_an_entity(native: SdkApp) -> None:
    given = {"data": "x" * _LARGE, "steps": []}
    assert native.run("carries_to_entity", given) == ("COMPLETED", given)


def test_a_large_payload_goes_through_an_event(native: SdkApp) -> None:
    given = {"data": "x" * _LARGE}
    started = native.start("carries_event")
    native.ask(started, "raise", {"event": "payload", "data": given})
    assert native.until(started, "COMPLETED")["output"] == given


def test_a_large_payload_goes_through_continue_as_new(native: SdkApp) -> None:
    given = {"data": "x" * _LARGE, "steps": []}
    assert native.run("carries_on", given) == ("COMPLETED", given | {"steps": ["continued", "activity"]})


# Logs


def test_logs_of_client_and_worker_go_through_the_host(native: SdkApp) -> None:
    started = native.start("chain")
    native.until(started, "COMPLETED")
    native.until_logged(rf"\[\S+Z\] Starting new 'chain' instance with ID = '{started}'\.\n")
    native.until_logged(rf"\[\S+Z\] {started}: Orchestration chain completed with status: COMPLETED\n")


def test_the_filter_of_a_category_applies_to_client_and_worker(native: SdkApp) -> None:
    started = native.post("/api/start-quietly", None).json()
    native.until(started, "COMPLETED")
    native.until_logged("warning of the client")
    native.until_logged(f"second warning in {started}")
    told = native.logs()
    assert told.count(f"] warning in {started}") == 1
    assert "information of the client" not in told
    assert f"information in {started}" not in told
    assert f"ID = '{started}'" not in told
    assert f"{started}: Orchestration says_little completed" not in told


# The older style alone


def test_instances_are_listed_by_status(older: SdkApp) -> None:
    ended, open_ = older.start("chain"), older.start("approval")
    older.until(ended, "COMPLETED")
    found = older.client.get("/api/instances?status=Completed").json()
    assert ended in found
    assert open_ not in found
    older.ask(open_, "terminate")


def test_call_http_gets(older: SdkApp) -> None:
    url = str(older.client.base_url.join("/api/ping"))
    assert older.run("calls_http", {"method": "GET", "url": url}) == (
        "COMPLETED",
        {"status": 200, "content": "pong"},
    )


def test_call_http_posts(older: SdkApp) -> None:
    url = str(older.client.base_url.join("/api/echo"))
    status, output = older.run("calls_http", {"method": "POST", "url": url, "content": {"a": "b"}})
    assert (status, output) == ("COMPLETED", {"status": 200, "content": '{"a": "b"}'})


def test_call_http_returns_what_failed(older: SdkApp) -> None:
    url = str(older.client.base_url.join("/api/fails"))
    assert older.run("calls_http", {"method": "GET", "url": url}) == (
        "COMPLETED",
        {"status": 500, "content": "not today"},
    )


def test_histories_of_the_context_are_not_there(older: SdkApp) -> None:
    assert older.run("looks_at_histories")[0] == "FAILED"
