"""Entities in the engine alone: state, order, locks, deletion."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from durabletask.client import EntityQuery
from durabletask.entities import EntityInstanceId

from tests.integration.functions_host.durable_apps.harness import EngineUnderTest, eventually, running_engine

# The SDK says so of itself, once in a process, whatever the app does.
pytestmark = pytest.mark.filterwarnings("ignore:azure.functions:DeprecationWarning")


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineUnderTest]:
    monkeypatch.setenv("PATTERNS_FOLDER", str(tmp_path))
    async with running_engine(tmp_path) as running:
        yield running


def _counter(key: str) -> EntityInstanceId:
    return EntityInstanceId("counter", key)


async def _value(hub: EngineUnderTest, key: str) -> Any:
    found = await hub.client.get_entity(_counter(key))
    return None if found is None else found.get_typed_state()


async def _until_value(hub: EngineUnderTest, key: str, wanted: Any) -> None:
    async def reached() -> bool:
        return bool(await _value(hub, key) == wanted)

    await eventually(reached, f"counter {key} to be {wanted}")


async def test_calls_and_signals_of_one_orchestration_keep_their_order(hub: EngineUnderTest) -> None:
    assert (await hub.run("counts", "ordered")).get_output() == 7


async def test_signals_of_a_client_all_arrive(hub: EngineUnderTest) -> None:
    for _ in range(50):
        await hub.client.signal_entity(_counter("many"), "add", input=1)

    await _until_value(hub, "many", 50)


async def test_a_failing_operation_fails_its_caller_and_keeps_the_state(hub: EngineUnderTest) -> None:
    await hub.run("counts", "upset")

    ended = await hub.run("upsets_counter", "upset")

    assert ended.runtime_status.name == "FAILED"
    assert "does not like that" in str(ended.failure_details)
    assert await _value(hub, "upset") == 7


async def test_an_entity_signals_another_and_starts_an_orchestration(hub: EngineUnderTest) -> None:
    data = {"key": "relayed", "amount": 3}
    await hub.run("talks_to_relay", {"operation": "pass_on", "data": data})
    await _until_value(hub, "relayed", 3)

    started = {"name": "chain", "input": ["Ada"], "id": "by-entity"}
    await hub.run("talks_to_relay", {"operation": "begin", "data": started})

    async def ended() -> bool:
        state = await hub.client.get_orchestration_state("by-entity")
        return state is not None and state.runtime_status.name == "COMPLETED"

    await eventually(ended, "the orchestration that the entity started")


async def test_delayed_signals_come_at_their_time(hub: EngineUnderTest) -> None:
    later = datetime.now(UTC) + timedelta(milliseconds=300)
    await hub.client.signal_entity(_counter("later"), "add", input=9, signal_time=later)
    await hub.run("signals_later", "by-orchestration")
    assert await _value(hub, "later") is None
    assert await _value(hub, "by-orchestration") is None

    await _until_value(hub, "later", 9)
    await _until_value(hub, "by-orchestration", 4)


async def test_nobody_comes_between_in_a_critical_section(hub: EngineUnderTest) -> None:
    holder = await hub.begin("critical", {"keys": ["locked"], "amount": 1, "waits": True})
    await hub.until_custom_status(holder, "inside")
    await hub.client.signal_entity(_counter("locked"), "add", input=100)
    other = await hub.begin("counts", "locked")
    rival = await hub.begin("critical", {"keys": ["locked"], "amount": 1000})
    assert await _value(hub, "locked") is None

    await hub.client.raise_orchestration_event(holder, "on", data=None)

    assert (await hub.end_of(holder)).get_output() == [0, 1]
    assert (await hub.end_of(other)).get_output() >= 108
    before, after = (await hub.end_of(rival)).get_output()
    assert after == before + 1000
    await _until_value(hub, "locked", 1108)


async def test_a_signal_sent_before_a_lock_is_seen_inside(hub: EngineUnderTest) -> None:
    await hub.client.signal_entity(_counter("queue"), "add", input=10)

    assert (await hub.run("critical", {"keys": ["queue"], "amount": 1})).get_output() == [10, 11]


async def test_locks_on_several_entities_never_cross(hub: EngineUnderTest) -> None:
    orders = [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]]
    instances = [await hub.begin("critical", {"keys": orders[n % 3], "amount": 1}) for n in range(18)]

    outputs = [(await hub.end_of(instance)).get_output() for instance in instances]

    assert all(after == before + 1 for before, after in outputs)
    assert sum([await _value(hub, key) for key in "abc"]) == 18


@pytest.mark.parametrize("ending", ["fails", "terminated"])
async def test_a_lock_is_freed_however_its_owner_ends(hub: EngineUnderTest, ending: str) -> None:
    data = {"keys": ["freed"], "amount": 1, "fails": ending == "fails", "waits": ending != "fails"}
    holder = await hub.begin("critical", data)
    if ending == "terminated":
        await hub.until_custom_status(holder, "inside")
        await hub.client.terminate_orchestration(holder)
    await hub.end_of(holder)

    assert (await hub.run("critical", {"keys": ["freed"], "amount": 5})).get_output() == [0, 5]


async def test_one_who_waited_for_a_lock_and_was_terminated_never_gets_it(hub: EngineUnderTest) -> None:
    holder = await hub.begin("critical", {"keys": ["wanted"], "amount": 1, "waits": True})
    await hub.until_custom_status(holder, "inside")
    waiting = await hub.begin("critical", {"keys": ["wanted"], "amount": 10})
    await hub.until_status(waiting, "RUNNING")

    await hub.client.terminate_orchestration(waiting)
    await hub.client.raise_orchestration_event(holder, "on", data=None)
    await hub.end_of(holder)

    assert (await hub.run("critical", {"keys": ["wanted"], "amount": 5})).get_output() == [1, 6]


async def test_a_deleted_entity_is_gone(hub: EngineUnderTest) -> None:
    await hub.run("counts", "short-lived")
    assert await _value(hub, "short-lived") == 7

    await hub.client.signal_entity(_counter("short-lived"), "forget")
    await _until_value(hub, "short-lived", None)

    query = EntityQuery(instance_id_starts_with="@counter@short", include_transient=True)
    assert await hub.client.get_all_entities(query) == []


async def test_signals_for_an_unknown_entity_are_dropped_and_calls_told(
    hub: EngineUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    await hub.client.signal_entity(EntityInstanceId("nothing", "k"), "add", input=1)

    async def told() -> bool:
        return any("No entity function 'nothing'" in record.getMessage() for record in caplog.records)

    await eventually(told, "the warning")
    assert await hub.client.get_entity(EntityInstanceId("nothing", "k")) is None
