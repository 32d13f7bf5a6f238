"""Orchestrators and activities."""

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
from durabletask import entities, task

bp = df.Blueprint()
QUIET = logging.getLogger("quiet")
_SOON = timedelta(milliseconds=20)


def counter(key: str) -> entities.EntityInstanceId:
    return entities.EntityInstanceId("counter", key)


@bp.activity_trigger(input_name="name")
def greet(name: str) -> str:
    return f"hello {name}"


@bp.activity_trigger(input_name="number")
def square(number: int) -> int:
    return number * number


@bp.activity_trigger(input_name="given")
def succeeds_at(given: dict) -> dict:
    """Counts its attempts in a file; fails until there are enough."""
    path = Path(os.environ["SDK_FOLDER"]) / f"attempts-{given['name']}"
    with path.open("a") as file:
        file.write(".")
    attempts = len(path.read_text())
    if attempts < given["at"]:
        raise ValueError(f"attempt {attempts}")
    return {"attempts": attempts}


@bp.activity_trigger(input_name="given")
def mark(given: dict) -> dict:
    return given | {"steps": [*given["steps"], "activity"]}


@bp.orchestration_trigger(context_name="context")
def chain(ctx: task.OrchestrationContext, _: Any):
    found = []
    for name in ("Vienna", "Graz", "Linz"):
        found.append((yield ctx.call_activity("greet", input=name)))  # noqa: PERF401 - one at a time
    return found


@bp.orchestration_trigger(context_name="context")
def fan_out(ctx: task.OrchestrationContext, count: int):
    found = yield task.when_all([ctx.call_activity("square", input=n) for n in range(1, count + 1)])
    return sum(found)


@bp.orchestration_trigger(context_name="context")
def parent(ctx: task.OrchestrationContext, _: Any):
    return {"child": (yield ctx.call_sub_orchestrator("chain"))}


@bp.orchestration_trigger(context_name="context")
def counts_itself(ctx: task.OrchestrationContext, count: int):
    yield ctx.call_activity("square", input=count)
    if count < 5:
        ctx.continue_as_new(count + 1)
        return None
    return count


@bp.orchestration_trigger(context_name="context")
def approval(ctx: task.OrchestrationContext, _: Any):
    ctx.set_custom_status("waiting")
    answer = yield ctx.wait_for_external_event("approval")
    ctx.set_custom_status("received")
    return {"approved": answer}


@bp.orchestration_trigger(context_name="context")
def waits(ctx: task.OrchestrationContext, seconds: float):
    begun = ctx.current_utc_datetime
    yield ctx.create_timer(begun + timedelta(seconds=seconds))
    return (ctx.current_utc_datetime - begun).total_seconds()


@bp.orchestration_trigger(context_name="context")
def event_or_timer(ctx: task.OrchestrationContext, seconds: float):
    timer = ctx.create_timer(timedelta(seconds=seconds))
    event = ctx.wait_for_external_event("go")
    winner = yield task.when_any([event, timer])
    return {"event": event.get_result()} if winner is event else "timer"


@bp.orchestration_trigger(context_name="context")
def ids(ctx: task.OrchestrationContext, _: Any):
    before = [ctx.new_uuid(), ctx.new_uuid()]
    yield ctx.call_activity("greet", input="x")
    return before


@bp.orchestration_trigger(context_name="context")
def about_itself(ctx: task.OrchestrationContext, _: Any):
    first = ctx.is_replaying
    yield ctx.call_activity("greet", input="x")
    return {
        "id": ctx.instance_id,
        "replaying": [first, ctx.is_replaying],
        "version": ctx.version,
        "parent": ctx.parent_instance_id,
        "time": ctx.current_utc_datetime.isoformat(),
    }


@bp.orchestration_trigger(context_name="context")
def family(ctx: task.OrchestrationContext, _: Any):
    return {"me": ctx.instance_id, "child": (yield ctx.call_sub_orchestrator("about_itself"))}


def _policy(attempts: int) -> task.RetryPolicy:
    return task.RetryPolicy(first_retry_interval=_SOON, max_number_of_attempts=attempts)


@bp.orchestration_trigger(context_name="context")
def retries(ctx: task.OrchestrationContext, given: dict):
    return (yield ctx.call_activity("succeeds_at", input=given, retry_policy=_policy(3)))


@bp.orchestration_trigger(context_name="context")
def fragile(ctx: task.OrchestrationContext, given: dict):
    return (yield ctx.call_activity("succeeds_at", input=given))


@bp.orchestration_trigger(context_name="context")
def retries_child(ctx: task.OrchestrationContext, given: dict):
    return (yield ctx.call_sub_orchestrator("fragile", input=given, retry_policy=_policy(3)))


@bp.orchestration_trigger(context_name="context")
def child_fails(ctx: task.OrchestrationContext, given: dict):
    return (yield ctx.call_sub_orchestrator("fragile", input=given))


@bp.orchestration_trigger(context_name="context")
def counts(ctx: task.OrchestrationContext, key: str):
    yield ctx.call_entity(counter(key), "add", 5)
    yield ctx.call_entity(counter(key), "add", 3)
    return (yield ctx.call_entity(counter(key), "get"))


@bp.orchestration_trigger(context_name="context")
def resets(ctx: task.OrchestrationContext, key: str):
    yield ctx.call_entity(counter(key), "add", 5)
    answer = yield ctx.call_entity(counter(key), "reset")
    return [answer, (yield ctx.call_entity(counter(key), "get"))]


@bp.orchestration_trigger(context_name="context")
def asks_thing(ctx: task.OrchestrationContext, key: str):
    return (yield ctx.call_entity(entities.EntityInstanceId("thing", key), "tell"))


@bp.orchestration_trigger(context_name="context")
def signals(ctx: task.OrchestrationContext, key: str):
    ctx.signal_entity(counter(key), "add", 10)
    return key
    yield


@bp.orchestration_trigger(context_name="context")
def signals_later(ctx: task.OrchestrationContext, key: str):
    due = ctx.current_utc_datetime + timedelta(seconds=2)
    ctx.signal_entity(counter(key), "add", 4, signal_time=due)
    return key
    yield


@bp.orchestration_trigger(context_name="context")
def locks(ctx: task.OrchestrationContext, given: dict):
    with (yield ctx.lock_entities([counter(given["key"])])):
        total = yield ctx.call_entity(counter(given["key"]), "add", given["amount"])
        if given.get("fails"):
            raise RuntimeError("inside")
    return total


@bp.orchestration_trigger(context_name="context")
def messages(ctx: task.OrchestrationContext, given: dict):
    to = entities.EntityInstanceId("messenger", "m")
    return (yield ctx.call_entity(to, given["operation"], given["key"]))


@bp.orchestration_trigger(context_name="context")
def upsets(ctx: task.OrchestrationContext, given: dict):
    try:
        yield ctx.call_entity(counter(given["key"]), "refuse")
    except task.TaskFailedError as error:
        if given["handles"]:
            return {"caught": str(error)}
        raise
    return None


@bp.orchestration_trigger(context_name="context")
def tick(ctx: task.OrchestrationContext, key: str):
    ctx.signal_entity(counter(key), "add", 1)
    return None
    yield


@bp.orchestration_trigger(context_name="context")
def carries(ctx: task.OrchestrationContext, given: dict):
    for _ in range(2):
        given = yield ctx.call_activity("mark", input=given)
    ctx.set_custom_status(given)
    return given


@bp.orchestration_trigger(context_name="context")
def carries_to_entity(ctx: task.OrchestrationContext, given: dict):
    target = entities.EntityInstanceId("thing", ctx.instance_id)
    yield ctx.call_entity(target, "put", given)
    return (yield ctx.call_entity(target, "tell"))["state"]


@bp.orchestration_trigger(context_name="context")
def carries_event(ctx: task.OrchestrationContext, _: Any):
    return (yield ctx.wait_for_external_event("payload"))


@bp.orchestration_trigger(context_name="context")
def carries_on(ctx: task.OrchestrationContext, given: dict):
    if not given["steps"]:
        ctx.continue_as_new(given | {"steps": ["continued"]})
        return None
    return (yield ctx.call_activity("mark", input=given))


@bp.orchestration_trigger(context_name="context")
def says_little(ctx: task.OrchestrationContext, _: Any):
    logger = ctx.create_replay_safe_logger(QUIET)
    logger.info("information in %s", ctx.instance_id)
    logger.warning("warning in %s", ctx.instance_id)
    yield ctx.call_activity("greet", input="x")
    logger.warning("second warning in %s", ctx.instance_id)
    return "said"
