"""Orchestrators in the native style, and one in the older style."""

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from durabletask import entities, task

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def chain(ctx: task.OrchestrationContext, names: Any):
    greetings = []
    for name in names or ["Ada", "Grace"]:
        greetings.append((yield ctx.call_activity("greet", input=name)))  # noqa: PERF401 - one at a time
    return greetings


@bp.orchestration_trigger(context_name="context")
def fan_out(ctx: task.OrchestrationContext, count: Any):
    squares = yield task.when_all([ctx.call_activity("square", input=n) for n in range(1, count + 1)])
    return sum(squares)


@bp.orchestration_trigger(context_name="context")
def sleeper(ctx: task.OrchestrationContext, seconds: Any):
    begun = ctx.current_utc_datetime
    yield ctx.create_timer(begun + timedelta(seconds=seconds))
    return begun.isoformat()


@bp.orchestration_trigger(context_name="context")
def many_timers(ctx: task.OrchestrationContext, seconds: Any):
    due = [ctx.create_timer(timedelta(seconds=seconds + n / 1000)) for n in range(200)]
    yield task.when_all(due)
    return len(due)


@bp.orchestration_trigger(context_name="context")
def approval(ctx: task.OrchestrationContext, _: Any):
    ctx.set_custom_status({"waits for": "approval"})
    answer = yield ctx.wait_for_external_event("approval")
    return {"approved": answer}


@bp.orchestration_trigger(context_name="context")
def parent(ctx: task.OrchestrationContext, child: Any):
    answer = yield ctx.call_sub_orchestrator(
        child["name"], input=child.get("input"), instance_id=child.get("id")
    )
    return {"child": answer}


@bp.orchestration_trigger(context_name="context")
def family(ctx: task.OrchestrationContext, _: Any):
    return {"mine": ctx.instance_id, "parent": ctx.parent_instance_id, "version": ctx.version}


@bp.orchestration_trigger(context_name="context")
def fails(ctx: task.OrchestrationContext, text: Any):
    raise LookupError(text)
    yield


@bp.orchestration_trigger(context_name="context")
def catches(ctx: task.OrchestrationContext, child: Any):
    try:
        yield ctx.call_sub_orchestrator(child["name"], input=child.get("input"))
    except task.TaskFailedError as error:
        details = error.details
        return {"type": details.error_type, "message": details.message, "stack": details.stack_trace}
    return None


@bp.orchestration_trigger(context_name="context")
def generations(ctx: task.OrchestrationContext, generation: Any):
    """The first leaves a short timer behind; the second, with the same task ids, waits long."""
    if generation == 1:
        ctx.create_timer(timedelta(milliseconds=150))
        yield ctx.wait_for_external_event("next")
        ctx.continue_as_new(2, save_events=True)
        return None
    timer = ctx.create_timer(timedelta(hours=1))
    event = ctx.wait_for_external_event("go")
    winner = yield task.when_any([timer, event])
    return "event" if winner is event else "timer"


@bp.orchestration_trigger(context_name="context")
def collects(ctx: task.OrchestrationContext, seen: Any):
    """One event for each generation, until there are five."""
    item = yield ctx.wait_for_external_event("item")
    seen = [*(seen or []), item]
    if len(seen) < 5:
        ctx.continue_as_new(seen, save_events=True)
    return seen


@bp.orchestration_trigger(context_name="context")
def first_wins(ctx: task.OrchestrationContext, data: Any):
    """Ends at the timer and leaves its activity behind."""
    slow = ctx.call_activity("wait_for_file", input=data)
    timer = ctx.create_timer(timedelta(milliseconds=20))
    yield task.when_any([slow, timer])
    return "timer"


@bp.orchestration_trigger(context_name="context")
def waits_for_file(ctx: task.OrchestrationContext, data: Any):
    return (yield ctx.call_activity("wait_for_file", input=data))


@bp.orchestration_trigger(context_name="context")
def retries(ctx: task.OrchestrationContext, data: Any):
    first = timedelta(milliseconds=10)
    policy = task.RetryPolicy(first_retry_interval=first, max_number_of_attempts=data["attempts"])
    before = yield ctx.call_activity("greet", input="before")
    result = yield ctx.call_activity("fail_until", input=data, retry_policy=policy)
    after = yield ctx.call_activity("greet", input="after")
    return [before, result, after]


@bp.orchestration_trigger(context_name="context")
def retries_child(ctx: task.OrchestrationContext, data: Any):
    policy = task.RetryPolicy(first_retry_interval=timedelta(milliseconds=10), max_number_of_attempts=3)
    return (yield ctx.call_sub_orchestrator("fragile", input=data, retry_policy=policy))


@bp.orchestration_trigger(context_name="context")
def fragile(ctx: task.OrchestrationContext, data: Any):
    before = yield ctx.call_activity("greet", input="before")
    result = yield ctx.call_activity("fail_until", input=data)
    return [before, result]


@bp.orchestration_trigger(context_name="context")
def counts(ctx: task.OrchestrationContext, key: Any):
    counter = entities.EntityInstanceId("counter", key)
    yield ctx.call_entity(counter, "add", 5)
    ctx.signal_entity(counter, "add", 2)
    return (yield ctx.call_entity(counter, "get"))


@bp.orchestration_trigger(context_name="context")
def critical(ctx: task.OrchestrationContext, data: Any):
    """Reads, waits for the event `on` if asked, adds: without a lock others come between."""
    targets = [entities.EntityInstanceId("counter", key) for key in data["keys"]]
    with (yield ctx.lock_entities(targets)):
        before = yield ctx.call_entity(targets[0], "get")
        ctx.set_custom_status("inside")
        if data.get("waits"):
            yield ctx.wait_for_external_event("on")
        if data.get("fails"):
            raise RuntimeError("inside the critical section")
        after = yield ctx.call_entity(targets[0], "add", data["amount"])
    return [before, after]


@bp.orchestration_trigger(context_name="context")
def upsets_counter(ctx: task.OrchestrationContext, key: Any):
    return (yield ctx.call_entity(entities.EntityInstanceId("counter", key), "boom"))


@bp.orchestration_trigger(context_name="context")
def talks_to_relay(ctx: task.OrchestrationContext, data: Any):
    return (yield ctx.call_entity(entities.EntityInstanceId("relay", "r"), data["operation"], data["data"]))


@bp.orchestration_trigger(context_name="context")
def sends(ctx: task.OrchestrationContext, target: Any):
    ctx.send_event(target, "approval", data="by another orchestration")
    return None
    yield


@bp.orchestration_trigger(context_name="context")
def signals_later(ctx: task.OrchestrationContext, key: Any):
    due = ctx.current_utc_datetime + timedelta(milliseconds=300)
    ctx.signal_entity(entities.EntityInstanceId("counter", key), "add", 4, signal_time=due)
    return key
    yield


@bp.orchestration_trigger(context_name="context")
def calls_http(context: df.DurableOrchestrationContext):
    response = yield context.call_http("GET", context.get_input())
    return {"status": response.status_code, "content": response.content}
