"""What the Durable SDK's public end-to-end suite asserts of a host, with apps of our own, in both styles.

The suite is `tests/azure-functions-durable/e2e` of microsoft/durabletask-python, read 29 November 2026. Each
test here has its counterpart there; `functions-host-fidelity.md` lists them.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.integration.functions_host.running_host import eventually
from tests.integration.functions_host.sdk_suite import SdkApp, fresh

_GREETED = ["hello Vienna", "hello Graz", "hello Linz"]
STYLES = ("native", "older")


@pytest.fixture(params=STYLES)
def app(request: pytest.FixtureRequest) -> SdkApp:
    """The app in each style."""
    found: SdkApp = request.getfixturevalue(request.param)
    return found


# Patterns


def test_a_chain(app: SdkApp) -> None:
    assert app.run("chain") == ("COMPLETED", _GREETED)


def test_a_fan_out(app: SdkApp) -> None:
    assert app.run("fan_out", 4) == ("COMPLETED", 30)


def test_a_child(app: SdkApp) -> None:
    assert app.run("parent") == ("COMPLETED", {"child": _GREETED})


def test_continue_as_new(app: SdkApp) -> None:
    assert app.run("counts_itself", 0) == ("COMPLETED", 5)


def test_an_event_and_the_custom_status(app: SdkApp) -> None:
    started = app.start("approval")
    assert app.ask(started, "raise", {"event": "approval", "data": True}).status_code == 202
    ended = app.until(started, "COMPLETED")
    assert (ended["output"], ended["custom"]) == ({"approved": True}, "received")


def test_a_timer_waits_as_long_as_it_should(app: SdkApp) -> None:
    status, seconds = app.run("waits", 0.3)
    assert status == "COMPLETED"
    assert seconds >= 0.3


def test_of_an_event_and_a_timer_the_event_comes_first(app: SdkApp) -> None:
    started = app.start("event_or_timer", 60)
    app.ask(started, "raise", {"event": "go", "data": "now"})
    assert app.until(started, "COMPLETED")["output"] == {"event": "now"}


def test_of_an_event_and_a_timer_the_timer_comes_first(app: SdkApp) -> None:
    assert app.run("event_or_timer", 0.1) == ("COMPLETED", "timer")


def test_ids_are_the_same_in_every_replay(app: SdkApp) -> None:
    status, found = app.run("ids")
    assert status == "COMPLETED"
    assert [str(UUID(each)) for each in found] == found
    assert found[0] != found[1]


def test_what_an_orchestration_knows_of_itself(app: SdkApp) -> None:
    started = app.start("about_itself")
    found = app.until(started, "COMPLETED")["output"]
    # What is returned was computed in the last replay, when the first call was an old one.
    assert (found["id"], found["replaying"]) == (started, [True, False])
    assert (found["version"], found["parent"]) == (None, None)
    assert abs(datetime.fromisoformat(found["time"]).replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(
        minutes=1
    )
    assert (found.get("continues"), found.get("context")) in {(None, None), (False, True)}


def test_a_child_knows_its_parent(app: SdkApp) -> None:
    started = app.start("family")
    found = app.until(started, "COMPLETED")["output"]
    assert (found["me"], found["child"]["parent"]) == (started, started)


# Retries and failures


def test_an_activity_succeeds_in_the_end(app: SdkApp) -> None:
    assert app.run("retries", {"name": fresh(), "at": 3}) == ("COMPLETED", {"attempts": 3})


def test_an_activity_that_never_succeeds_fails_its_orchestration(app: SdkApp) -> None:
    name = fresh()
    assert app.run("retries", {"name": name, "at": 9})[0] == "FAILED"
    assert (app.folder / f"attempts-{name}").read_text() == "..."


def test_a_child_succeeds_in_the_end(app: SdkApp) -> None:
    assert app.run("retries_child", {"name": fresh(), "at": 2}) == ("COMPLETED", {"attempts": 2})


def test_a_failing_activity_fails_its_orchestration(app: SdkApp) -> None:
    assert app.run("fragile", {"name": fresh(), "at": 9})[0] == "FAILED"


def test_a_failing_child_fails_its_parent(app: SdkApp) -> None:
    assert app.run("child_fails", {"name": fresh(), "at": 9})[0] == "FAILED"


# Entities


def test_an_entity_is_called(app: SdkApp) -> None:
    assert app.run("counts", fresh()) == ("COMPLETED", 8)


def test_an_entity_is_signalled_and_read_by_a_client(app: SdkApp) -> None:
    key = fresh()
    assert app.entity("counter", key) is None
    app.signal("counter", key, "add", 7)
    app.until_entity("counter", key, {"state": 7})


def test_an_entity_is_set_and_read(app: SdkApp) -> None:
    key = fresh()
    app.signal("thing", key, "put", {"a": [1, None, "ü"]})
    app.until_entity("thing", key, {"state": {"a": [1, None, "ü"]}})


def test_an_entity_knows_itself(app: SdkApp) -> None:
    key = fresh()
    app.signal("thing", key, "put", 1)
    app.until_entity("thing", key, {"state": 1})
    _, told = app.run("asks_thing", key)
    assert (told["entity"], told["key"], told["operation"], told["state"]) == ("thing", key, "tell", 1)
    assert not told.get("new")


def test_an_entity_is_deleted(app: SdkApp) -> None:
    key = fresh()
    app.signal("thing", key, "put", 1)
    app.until_entity("thing", key, {"state": 1})
    app.signal("thing", key, "drop")
    app.until_entity("thing", key, None)


def test_an_orchestration_signals_an_entity(app: SdkApp) -> None:
    key = fresh()
    assert app.run("signals", key)[0] == "COMPLETED"
    app.until_entity("counter", key, {"state": 10})


# Managing instances


def test_a_start_answers_where_to_look(app: SdkApp) -> None:
    answer = app.post("/api/start/chain", None)
    assert answer.status_code == 202
    found = answer.json()
    assert {"id", "statusQueryGetUri", "sendEventPostUri", "terminatePostUri"} <= set(found)
    status = eventually(
        lambda: each if (each := app.client.get(found["statusQueryGetUri"])).status_code == 200 else None,
        "the status",
    ).json()
    assert (status["runtimeStatus"], status["output"]) == ("Completed", _GREETED)


def test_terminate(app: SdkApp) -> None:
    started = app.start("approval")
    assert app.ask(started, "terminate", "enough").status_code == 202
    assert app.until(started, "TERMINATED")["output"] == "enough"


def test_suspend_and_resume(app: SdkApp) -> None:
    started = app.start("approval")
    assert app.ask(started, "suspend").status_code == 202
    app.until(started, "SUSPENDED")
    assert app.ask(started, "resume").status_code == 202
    app.until(started, "RUNNING")
    app.ask(started, "raise", {"event": "approval", "data": True})
    assert app.until(started, "COMPLETED")["output"] == {"approved": True}


def test_restart(app: SdkApp) -> None:
    started = app.start("chain")
    app.until(started, "COMPLETED")
    other = app.ask(started, "restart").json()
    assert other != started
    assert app.until(other, "COMPLETED")["output"] == _GREETED


def test_purge(app: SdkApp) -> None:
    started = app.start("chain")
    app.until(started, "COMPLETED")
    assert app.ask(started, "purge").json() == 1
    assert app.state(started) is None


def test_purge_by_time_and_status(app: SdkApp) -> None:
    begun = datetime.now(UTC).isoformat()
    completed, open_ = app.start("chain"), app.start("approval")
    app.until(completed, "COMPLETED")
    assert app.post("/api/purge", begun).json() >= 1
    assert (app.state(completed), app.until(open_, "RUNNING")["input"]) == (None, None)
    app.ask(open_, "terminate")


def test_all_instances_are_listed(app: SdkApp) -> None:
    started = [app.start("chain"), app.start("approval")]
    assert set(started) <= set(app.client.get("/api/instances").json())
    app.ask(started[1], "terminate")


def test_the_history_of_an_instance(app: SdkApp) -> None:
    started = app.start("chain")
    app.until(started, "COMPLETED")
    kinds = app.ask(started, "history").json()
    assert sum("TaskCompleted" in kind for kind in kinds) == 3
    assert "ExecutionCompleted" in kinds[-1] or "OrchestratorCompleted" in kinds[-1]


def test_waiting_for_the_end(app: SdkApp) -> None:
    answer = app.ask(app.start("chain"), "ended")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["output"] if isinstance(found, dict) else found) == _GREETED


def test_the_management_payload(app: SdkApp) -> None:
    started = app.start("chain")
    found: Any = app.ask(started, "payload").json()
    payload = found[0] if isinstance(found, list) else found
    assert payload["id"] == started
    assert started in payload["statusQueryGetUri"]
    assert isinstance(found, dict) or found[1] == payload


def test_rewind_runs_what_failed_again(app: SdkApp) -> None:
    name = fresh()
    started = app.start("fragile", {"name": name, "at": 2})
    app.until(started, "FAILED")
    answer = app.ask(started, "rewind")
    # The client of version 1 says that it cannot: the suite asserts just that.
    if answer.status_code != 501:
        assert answer.status_code == 202, answer.text
        assert app.until(started, "COMPLETED")["output"] == {"attempts": 2}
