"""Orchestrations in the engine alone: the patterns of Durable Functions."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from durabletask.scheduled import AsyncScheduledTaskClient, ScheduleCreationOptions

from tests.integration.functions_host.durable_apps.harness import EngineUnderTest, eventually, running_engine

# The SDK says so of itself, once in a process, whatever the app does.
pytestmark = pytest.mark.filterwarnings("ignore:azure.functions:DeprecationWarning")


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineUnderTest]:
    monkeypatch.setenv("PATTERNS_FOLDER", str(tmp_path))
    async with running_engine(tmp_path) as running:
        yield running


async def test_a_chain_of_activities_returns_their_results_in_order(hub: EngineUnderTest) -> None:
    ended = await hub.run("chain", ["Ada", "Grace", "Edsger"])

    assert ended.runtime_status.name == "COMPLETED"
    assert ended.get_output() == ["hello Ada", "hello Grace", "hello Edsger"]


async def test_a_fan_out_gathers_every_result(hub: EngineUnderTest) -> None:
    assert (await hub.run("fan_out", 40)).get_output() == sum(n * n for n in range(1, 41))


async def test_an_activity_without_input_or_result_is_none(hub: EngineUnderTest) -> None:
    ended = await hub.run("sends", "nobody")

    assert (ended.runtime_status.name, ended.get_output()) == ("COMPLETED", None)


async def test_a_failing_orchestrator_tells_type_message_and_stack(
    hub: EngineUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    ended = await hub.run("fails", "nothing there")

    assert ended.runtime_status.name == "FAILED"
    assert ended.failure_details is not None
    assert ended.failure_details.message == "nothing there"
    assert ended.failure_details.error_type.endswith("LookupError")
    assert "orchestrators.py" in (ended.failure_details.stack_trace or "")
    told = [record for record in caplog.records if "nothing there" in record.getMessage()]
    assert len(told) == 1


async def test_a_failing_activity_is_tried_again_as_its_policy_says(hub: EngineUnderTest) -> None:
    ended = await hub.run("retries", {"name": "flaky", "succeeds_at": 3, "attempts": 5})

    assert ended.get_output() == ["hello before", "done at 3", "hello after"]


async def test_attempts_of_a_retry_policy_are_bounded(hub: EngineUnderTest) -> None:
    ended = await hub.run("retries", {"name": "hopeless", "succeeds_at": 9, "attempts": 2})

    assert ended.runtime_status.name == "FAILED"
    assert "attempt 2 of hopeless" in str(ended.failure_details)


async def test_a_failing_child_is_tried_again_as_its_policy_says(hub: EngineUnderTest) -> None:
    ended = await hub.run("retries_child", {"name": "child", "succeeds_at": 3})

    assert ended.get_output() == ["hello before", "done at 3"]


async def test_inputs_and_outputs_of_megabytes_pass(hub: EngineUnderTest) -> None:
    name = "x" * 6_000_000

    ended = await hub.run("chain", [name])

    assert ended.get_output() == [f"hello {name}"]


async def test_an_event_raised_before_anyone_waits_is_kept(hub: EngineUnderTest) -> None:
    later = datetime.now(UTC) + timedelta(milliseconds=100)
    instance = await hub.begin("approval", start_at=later)

    await hub.client.raise_orchestration_event(instance, "approval", data="yes")

    assert (await hub.end_of(instance)).get_output() == {"approved": "yes"}


async def test_one_orchestration_sends_an_event_to_another(hub: EngineUnderTest) -> None:
    waiting = await hub.begin("approval")

    await hub.run("sends", waiting)

    assert (await hub.end_of(waiting)).get_output() == {"approved": "by another orchestration"}


async def test_an_event_for_nobody_or_for_the_dead_is_refused(hub: EngineUnderTest) -> None:
    ended = (await hub.run("chain")).instance_id

    with pytest.raises(grpc.RpcError) as missing:
        await hub.client.raise_orchestration_event("no-such-instance", "approval")
    with pytest.raises(grpc.RpcError) as dead:
        await hub.client.raise_orchestration_event(ended, "approval")

    assert missing.value.code() == grpc.StatusCode.NOT_FOUND
    assert dead.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_continue_as_new_keeps_events_that_came_together(hub: EngineUnderTest) -> None:
    later = datetime.now(UTC) + timedelta(milliseconds=150)
    instance = await hub.begin("collects", start_at=later)
    for number in range(5):
        await hub.client.raise_orchestration_event(instance, "item", data=number)

    assert (await hub.end_of(instance)).get_output() == [0, 1, 2, 3, 4]


async def test_a_suspended_instance_moves_only_when_resumed(hub: EngineUnderTest) -> None:
    instance = await hub.begin("approval")
    await hub.until_status(instance, "RUNNING")
    await hub.client.suspend_orchestration(instance, reason="lunch")
    await hub.until_status(instance, "SUSPENDED")

    await hub.client.raise_orchestration_event(instance, "approval", data="yes")
    steps = hub.app.calls.count(("orchestration", "approval"))
    assert await hub.status(instance) == "SUSPENDED"
    assert hub.app.calls.count(("orchestration", "approval")) == steps

    await hub.client.resume_orchestration(instance)
    assert (await hub.end_of(instance)).get_output() == {"approved": "yes"}


async def test_a_suspended_instance_can_be_terminated(hub: EngineUnderTest) -> None:
    instance = await hub.begin("approval")
    await hub.client.suspend_orchestration(instance)
    await hub.until_status(instance, "SUSPENDED")

    await hub.client.terminate_orchestration(instance, output="enough")

    ended = await hub.end_of(instance)
    assert (ended.runtime_status.name, ended.get_output()) == ("TERMINATED", "enough")


async def test_call_http_polls_until_the_answer_is_there(hub: EngineUnderTest) -> None:
    url = str(hub.http._base_url)
    ended = await hub.run("calls_http", f"{url}slow-answer")

    assert ended.get_output() == {"status": 200, "content": "the answer"}


async def test_a_restart_runs_the_same_input_under_a_new_or_the_same_id(hub: EngineUnderTest) -> None:
    first = await hub.run("chain", ["Ada"], instance_id="once")

    other = await hub.client.restart_orchestration("once", restart_with_new_instance_id=True)
    same = await hub.client.restart_orchestration("once", restart_with_new_instance_id=False)

    assert same == "once" != other
    for instance in (other, same):
        assert (await hub.end_of(instance)).get_output() == first.get_output()


async def test_a_running_instance_cannot_be_restarted_in_place(hub: EngineUnderTest) -> None:
    instance = await hub.begin("approval")

    with pytest.raises(grpc.RpcError) as refused:
        await hub.client.restart_orchestration(instance, restart_with_new_instance_id=False)

    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_unknown_functions_are_named(hub: EngineUnderTest) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        await hub.begin("no_such_orchestrator")
    child = await hub.run("catches", {"name": "no_such_orchestrator"})

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "no_such_orchestrator" in (refused.value.details() or "")
    assert "no_such_orchestrator" in json.dumps(child.get_output())


async def test_purging_forgets_only_what_has_ended(hub: EngineUnderTest) -> None:
    ended = (await hub.run("chain")).instance_id
    running = await hub.begin("approval")

    counts = [
        (await hub.client.purge_orchestration(instance)).deleted_instance_count
        for instance in (ended, running)
    ]

    assert counts == [1, 0]
    assert await hub.client.get_orchestration_state(ended) is None
    assert await hub.client.wait_for_orchestration_completion(ended, timeout=5) is None
    assert await hub.status(running) == "RUNNING"


async def test_scheduled_tasks_of_the_sdk_run_again_and_again(hub: EngineUnderTest) -> None:
    schedules = AsyncScheduledTaskClient(hub.client)
    second = timedelta(seconds=1)
    plan = ScheduleCreationOptions("often", "chain", second, orchestration_input=["Ada"])

    schedule = await schedules.create_schedule(plan)
    await eventually(lambda: _greeted(hub, 2), "two runs of the schedule")
    await schedule.delete()

    assert await schedules.get_schedule("often") is None


async def _greeted(hub: EngineUnderTest, times: int) -> bool:
    return hub.app.calls.count(("activity", "greet")) >= times
