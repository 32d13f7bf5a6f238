"""The engine is cut off and started again on what is on disk; rewind; limits; versions."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from durabletask.entities import EntityInstanceId

from infra.local.functions_host.durable import journal
from infra.local.functions_host.errors import StartupError
from tests.integration.functions_host.durable_apps.harness import EngineUnderTest, eventually, running_engine

# The SDK says so of itself, once in a process, whatever the app does.
pytestmark = pytest.mark.filterwarnings("ignore:azure.functions:DeprecationWarning")


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineUnderTest]:
    monkeypatch.setenv("PATTERNS_FOLDER", str(tmp_path))
    async with running_engine(tmp_path) as running:
        yield running


async def test_a_purged_instance_cannot_be_read_in_the_files(hub: EngineUnderTest) -> None:
    secret = "augusta-lovelace-was-here"
    kept = await hub.run("retries", {"name": "kept", "succeeds_at": 1, "attempts": 3})
    ended = await hub.run("retries", {"name": secret, "succeeds_at": 2, "attempts": 3})
    folder = hub.state.parent
    assert _found(folder, secret)
    await hub.client.purge_orchestration(ended.instance_id)
    assert not _found(folder, secret)
    assert not _found(folder, ended.instance_id)
    assert _found(folder, kept.instance_id)


def _found(folder: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in folder.iterdir() if "sqlite" in path.name)


async def test_ended_instances_are_remembered_whole(hub: EngineUnderTest) -> None:
    ended = await hub.run("retries", {"name": "kept", "succeeds_at": 2, "attempts": 3}, tags={"a": "b"})
    history = await hub.client.get_orchestration_history(ended.instance_id)

    await hub.restart()

    again = await hub.client.get_orchestration_state(ended.instance_id)
    assert again is not None
    assert (again.get_output(), again.get_input()) == (ended.get_output(), ended.get_input())
    assert again.created_at == ended.created_at
    assert await hub.client.get_orchestration_history(ended.instance_id) == history


async def test_a_timer_continues_after_a_crash(hub: EngineUnderTest) -> None:
    instance = await hub.begin("sleeper", 0.3)
    await hub.until_status(instance, "RUNNING")

    await hub.restart()

    assert (await hub.end_of(instance)).runtime_status.name == "COMPLETED"


async def test_an_activity_cut_off_by_a_crash_runs_again(hub: EngineUnderTest, tmp_path: Path) -> None:
    instance = await hub.begin("waits_for_file", {"name": "cut"})
    await _until_exists(tmp_path / "cut.1")

    await hub.restart()
    (tmp_path / "release-cut").touch()

    assert (await hub.end_of(instance)).get_output() == "released 2"


async def test_parents_locks_and_waits_survive_a_crash(hub: EngineUnderTest) -> None:
    parent = await hub.begin("parent", {"name": "approval", "id": "child"})
    holder = await hub.begin("critical", {"keys": ["k", "l"], "amount": 1, "waits": True})
    await hub.until_custom_status(holder, "inside")
    waiting = await hub.begin("critical", {"keys": ["l", "k"], "amount": 10})
    await hub.until_status(waiting, "RUNNING")
    await hub.until_custom_status("child", {"waits for": "approval"})

    await hub.restart()
    await hub.client.signal_entity(EntityInstanceId("counter", "k"), "add", input=100)
    await hub.client.raise_orchestration_event("child", "approval", data="late")
    await hub.client.raise_orchestration_event(holder, "on", data=None)

    assert (await hub.end_of(parent)).get_output() == {"child": {"approved": "late"}}
    assert (await hub.end_of(holder)).get_output() == [0, 1]
    assert (await hub.end_of(waiting)).get_output() == [0, 10]


async def test_delayed_signals_and_scheduled_starts_survive_a_crash(hub: EngineUnderTest) -> None:
    # Longer than a restart takes on a busy machine.
    later = datetime.now(UTC) + timedelta(milliseconds=1500)
    counter = EntityInstanceId("counter", "delayed")
    await hub.client.signal_entity(counter, "add", input=2, signal_time=later)
    instance = await hub.begin("chain", ["Ada"], start_at=later)

    await hub.restart()
    assert await hub.status(instance) == "PENDING"

    assert (await hub.end_of(instance)).get_output() == ["hello Ada"]

    async def arrived() -> bool:
        found = await hub.client.get_entity(counter)
        return found is not None and found.get_typed_state() == 2

    await eventually(arrived, "the delayed signal")
    await hub.restart()
    assert await arrived()


async def test_continue_as_new_and_purge_leave_nothing_behind(hub: EngineUnderTest) -> None:
    instance = await hub.begin("collects", instance_id="collector")
    for number in range(3):
        await hub.client.raise_orchestration_event(instance, "item", data=number)
    purged = (await hub.run("chain")).instance_id
    await hub.client.purge_orchestration(purged)

    await hub.restart()
    for number in range(3, 5):
        await hub.client.raise_orchestration_event(instance, "item", data=number)

    assert (await hub.end_of(instance)).get_output() == [0, 1, 2, 3, 4]
    assert await hub.client.get_orchestration_state(purged) is None
    await hub.stop()
    with sqlite3.connect(hub.state) as database:
        kept = {row[0] for row in database.execute("SELECT DISTINCT instance FROM history")}
    database.close()
    await hub.start()
    assert kept == {"collector"}


async def test_a_second_host_on_the_same_state_is_refused(hub: EngineUnderTest, tmp_path: Path) -> None:
    second = EngineUnderTest(hub.state, {})

    with pytest.raises(StartupError, match="another host"):
        await second.start()
    await second._server.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"certainly not a database" * 100, "no Durable state file"), (b"", "has been emptied")],
)
async def test_a_file_that_is_no_state_is_refused_in_one_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "durable.sqlite3").write_bytes(content)
    broken = EngineUnderTest(tmp_path / "durable.sqlite3", {})

    with pytest.raises(StartupError, match=f"{reason}.*: restore it, or move it away"):
        await broken.start()
    await broken._server.close()


async def test_nothing_is_acknowledged_or_run_when_the_disk_refuses(
    hub: EngineUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(journal, "_ATTEMPTS", 2)
    monkeypatch.setattr(journal.Journal, "_transaction", full)
    with pytest.raises(grpc.RpcError) as refused:
        await hub.begin("chain", instance_id="unsaved")
    monkeypatch.undo()

    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "disk is full" in (refused.value.details() or "")
    assert any("nothing new is run" in record.getMessage() for record in caplog.records)
    assert (await hub.call("POST", "/orchestrators/chain"))[0] == 503
    await hub.restart()
    assert await hub.client.get_orchestration_state("unsaved") is None


async def test_an_instance_may_be_replaced_while_it_runs_where_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATTERNS_FOLDER", str(tmp_path))
    async with running_engine(tmp_path, {"overridableExistingInstanceStates": "AnyState"}) as hub:
        await hub.begin("waits_for_file", {"name": "former"}, instance_id="same")
        await _until_exists(tmp_path / "former.1")
        await hub.begin("chain", ["Ada"], instance_id="same")
        (tmp_path / "release-former").touch()

        assert (await hub.end_of("same")).get_output() == ["hello Ada"]


async def test_rewind_runs_the_failed_activity_again_and_no_other(hub: EngineUnderTest) -> None:
    failed = await hub.run("fragile", {"name": "weak", "succeeds_at": 2})
    assert failed.runtime_status.name == "FAILED"

    await hub.client.rewind_orchestration(failed.instance_id, reason="it is better now")

    assert (await hub.end_of(failed.instance_id)).get_output() == ["hello before", "done at 2"]
    assert hub.app.calls.count(("activity", "greet")) == 1


async def test_rewind_after_a_retry_policy_gave_up(hub: EngineUnderTest) -> None:
    failed = await hub.run("retries", {"name": "stubborn", "succeeds_at": 4, "attempts": 3})
    assert failed.runtime_status.name == "FAILED"

    await hub.client.rewind_orchestration(failed.instance_id)

    ended = await hub.end_of(failed.instance_id)
    assert ended.get_output() == ["hello before", "done at 4", "hello after"]


async def test_rewind_reaches_the_failed_child(hub: EngineUnderTest) -> None:
    child = {"name": "fragile", "id": "weak-child", "input": {"name": "inner", "succeeds_at": 2}}
    failed = await hub.run("parent", child)
    assert failed.runtime_status.name == "FAILED"

    await hub.client.rewind_orchestration(failed.instance_id)
    await hub.restart()

    # The restart may come while the activity is in flight: then it runs once more.
    (greeted, done) = (await hub.end_of(failed.instance_id)).get_output()["child"]
    assert (greeted, done in ("done at 2", "done at 3")) == ("hello before", True)
    assert hub.app.calls.count(("activity", "greet")) == 1


async def test_only_a_failed_instance_can_be_rewound(hub: EngineUnderTest) -> None:
    ended = await hub.run("chain")

    with pytest.raises(grpc.RpcError) as refused:
        await hub.client.rewind_orchestration(ended.instance_id)

    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_no_more_activities_run_at_a_time_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATTERNS_FOLDER", str(tmp_path))
    async with running_engine(tmp_path, {"maxConcurrentActivityFunctions": 2}) as hub:
        instances = [await hub.begin("waits_for_file", {"name": f"slot{n}"}) for n in range(4)]
        await _until_exists(tmp_path / "slot0.1")
        await _until_exists(tmp_path / "slot1.1")
        await asyncio.sleep(0.1)
        begun = _files(tmp_path, "slot*.1")

        for number in range(4):
            (tmp_path / f"release-slot{number}").touch()
        for instance in instances:
            await hub.end_of(instance)

    assert begun == ["slot0.1", "slot1.1"]


async def test_the_default_version_reaches_instances_and_children(tmp_path: Path) -> None:
    async with running_engine(tmp_path, {"defaultVersion": "2.0"}) as hub:
        plain = (await hub.run("family")).get_output()
        older = (await hub.run("family", version="1.5")).get_output()
        child = (await hub.run("parent", {"name": "family"})).get_output()["child"]

    assert (plain["version"], older["version"], child["version"]) == ("2.0", "1.5", "2.0")


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ({"versionFailureStrategy": "Fail"}, "FAILED"),
        ({"versionFailureStrategy": "Reject"}, "PENDING"),
        ({"versionMatchStrategy": "None"}, "COMPLETED"),
    ],
)
async def test_an_instance_of_a_newer_version_is_treated_as_configured(
    tmp_path: Path, options: dict[str, Any], outcome: str
) -> None:
    async with running_engine(tmp_path, {"defaultVersion": "2.0", **options}) as hub:
        instance = await hub.begin("family", version="10.0")
        await hub.run("chain")
        if outcome == "FAILED":
            await hub.end_of(instance)
        await hub.until_status(instance, outcome)


def _files(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


async def _until_exists(path: Path) -> None:
    async def exists() -> bool:
        return path.name in _files(path.parent, path.name)

    await eventually(exists, path.name)
