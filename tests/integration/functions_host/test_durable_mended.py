"""What the in-memory backend of `durabletask` gets wrong and ours does not (functions-host.md lists it)."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend

from tests.integration.functions_host.durable_apps.harness import EngineUnderTest, eventually, running_engine

# The SDK says so of itself, once in a process, whatever the app does.
pytestmark = pytest.mark.filterwarnings("ignore:azure.functions:DeprecationWarning")


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineUnderTest]:
    monkeypatch.setenv("PATTERNS_FOLDER", str(tmp_path))
    async with running_engine(tmp_path) as running:
        yield running


async def test_a_parent_waits_for_its_child_without_limit(
    hub: EngineUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(*_: object, **__: object) -> None:
        raise AssertionError("the backend's wait gives up after 30 seconds")

    monkeypatch.setattr(InMemoryOrchestrationBackend, "_wait_for_state", limited)
    threads = threading.active_count()
    parents = [await hub.begin("parent", {"name": "approval", "id": f"child-{n}"}) for n in range(20)]
    await eventually(lambda: _exist(hub, [f"child-{n}" for n in range(20)]), "the children")

    assert threading.active_count() <= threads + 16
    for number in range(20):
        await hub.client.raise_orchestration_event(f"child-{number}", "approval", data=number)
    outputs = [(await hub.end_of(instance)).get_output() for instance in parents]
    assert outputs == [{"child": {"approved": number}} for number in range(20)]


async def test_many_that_wait_do_not_keep_others_from_being_served(hub: EngineUnderTest) -> None:
    instances = [await hub.begin("approval") for _ in range(60)]
    waits = [asyncio.create_task(hub.end_of(instance)) for instance in instances]
    await asyncio.sleep(0.05)

    served = await hub.run("chain", ["Ada"])
    for instance in instances:
        await hub.client.raise_orchestration_event(instance, "approval", data=1)
    ended = await asyncio.gather(*waits)

    assert served.get_output() == ["hello Ada"]
    assert {state.runtime_status.name for state in ended} == {"COMPLETED"}


async def test_a_wait_ends_when_the_client_gives_up(hub: EngineUnderTest) -> None:
    instance = await hub.begin("approval")

    with pytest.raises(TimeoutError):
        await hub.client.wait_for_orchestration_completion(instance, timeout=0.2)

    await hub.client.raise_orchestration_event(instance, "approval", data=1)
    assert (await hub.end_of(instance)).runtime_status.name == "COMPLETED"


async def test_a_timer_does_not_fire_in_the_next_generation(hub: EngineUnderTest) -> None:
    instance = await hub.begin("generations", 1)
    await hub.client.raise_orchestration_event(instance, "next", data=None)
    await asyncio.sleep(0.3)
    assert await hub.status(instance) == "RUNNING"

    await hub.client.raise_orchestration_event(instance, "go", data=None)

    assert (await hub.end_of(instance)).get_output() == "event"


async def test_a_scheduled_start_waits_for_its_time(hub: EngineUnderTest) -> None:
    due = datetime.now(UTC) + timedelta(milliseconds=400)
    instance = await hub.begin("sleeper", 0, start_at=due)
    await asyncio.sleep(0.1)
    assert await hub.status(instance) == "PENDING"

    begun = datetime.fromisoformat((await hub.end_of(instance)).get_output())

    assert begun.replace(tzinfo=UTC) >= due


async def test_the_id_of_an_ended_instance_can_be_used_again(hub: EngineUnderTest) -> None:
    await hub.run("fails", "first", instance_id="same")

    again = await hub.run("chain", ["Ada"], instance_id="same")

    assert again.get_output() == ["hello Ada"]
    history = await hub.client.get_orchestration_history("same")
    assert [type(event).__name__ for event in history].count("ExecutionStartedEvent") == 1


async def test_the_id_of_a_running_instance_is_taken(hub: EngineUnderTest) -> None:
    await hub.begin("approval", instance_id="taken")

    with pytest.raises(grpc.RpcError) as refused:
        await hub.begin("chain", instance_id="taken")

    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS


async def test_a_sub_orchestration_knows_its_parent(hub: EngineUnderTest) -> None:
    ended = await hub.run("parent", {"name": "family", "id": "the-child"}, instance_id="the-parent")

    assert ended.get_output()["child"] == {"mine": "the-child", "parent": "the-parent", "version": None}


async def test_the_failure_of_a_child_keeps_type_and_details(hub: EngineUnderTest) -> None:
    caught = (await hub.run("catches", {"name": "fails", "input": "deep down"})).get_output()

    assert caught["type"].endswith("LookupError")
    assert "deep down" in caught["message"]
    assert "orchestrators.py" in caught["stack"]


async def test_a_late_result_does_not_wake_an_ended_orchestration(
    hub: EngineUnderTest, tmp_path: Path
) -> None:
    ended = await hub.run("first_wins", {"name": "late"})
    steps = hub.app.calls.count(("orchestration", "first_wins"))
    before = len(await hub.client.get_orchestration_history(ended.instance_id))

    (tmp_path / "release-late").touch()
    await eventually(lambda: _idle(hub), "the activity to end")

    assert hub.app.calls.count(("orchestration", "first_wins")) == steps
    assert len(await hub.client.get_orchestration_history(ended.instance_id)) == before
    assert await hub.status(ended.instance_id) == "COMPLETED"


async def test_every_event_of_a_history_has_its_time(hub: EngineUnderTest) -> None:
    begun = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    ended = await hub.run("retries", {"name": "timed", "succeeds_at": 2, "attempts": 3})

    history = await hub.client.get_orchestration_history(ended.instance_id)

    times = [event.timestamp.replace(tzinfo=None) for event in history]
    assert len(history) > 10
    assert min(times) > begun


async def test_terminate_ends_the_whole_family(hub: EngineUnderTest) -> None:
    grandchild = {"name": "parent", "id": "child", "input": {"name": "approval", "id": "grandchild"}}
    parent = await hub.begin("parent", grandchild)
    await eventually(lambda: _exist(hub, ["child", "grandchild"]), "the family")

    await hub.client.terminate_orchestration(parent, output="all of you", recursive=True)

    for instance in (parent, "child", "grandchild"):
        ended = await hub.end_of(instance)
        assert (ended.runtime_status.name, ended.get_output()) == ("TERMINATED", "all of you")


async def test_terminate_can_spare_the_children(hub: EngineUnderTest) -> None:
    parent = await hub.begin("parent", {"name": "approval", "id": "spared"})
    await eventually(lambda: _exist(hub, ["spared"]), "the child")

    await hub.client.terminate_orchestration(parent, recursive=False)
    await hub.client.raise_orchestration_event("spared", "approval", data=True)

    assert (await hub.end_of(parent)).runtime_status.name == "TERMINATED"
    assert (await hub.end_of("spared")).runtime_status.name == "COMPLETED"


async def test_timers_need_no_threads(hub: EngineUnderTest) -> None:
    threads = threading.active_count()
    instances = [await hub.begin("many_timers", 0.5) for _ in range(3)]
    await asyncio.sleep(0.1)
    assert threading.active_count() <= threads + 16

    assert [(await hub.end_of(instance)).get_output() for instance in instances] == [200, 200, 200]


async def _exist(hub: EngineUnderTest, instances: list[str]) -> bool:
    return all([await hub.client.get_orchestration_state(instance) for instance in instances])


async def _idle(hub: EngineUnderTest) -> bool:
    return hub.engine.backlog == 0
