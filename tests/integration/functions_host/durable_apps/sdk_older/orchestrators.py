"""Orchestrators, activities and entities."""

import os
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df

bp = df.Blueprint()


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


@bp.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext):
    found = []
    for name in ("Vienna", "Graz", "Linz"):
        found.append((yield context.call_activity("greet", name)))  # noqa: PERF401 - one at a time
    return found


@bp.orchestration_trigger(context_name="context")
def fan_out(context: df.DurableOrchestrationContext):
    numbers = range(1, context.get_input() + 1)
    return sum((yield context.task_all([context.call_activity("square", n) for n in numbers])))


@bp.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext):
    return {"child": (yield context.call_sub_orchestrator("chain"))}


@bp.orchestration_trigger(context_name="context")
def counts_itself(context: df.DurableOrchestrationContext):
    count = context.get_input()
    yield context.call_activity("square", count)
    if count < 5:
        context.continue_as_new(count + 1)
        return None
    return count


@bp.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext):
    context.set_custom_status("waiting")
    answer = yield context.wait_for_external_event("approval")
    context.set_custom_status("received")
    return {"approved": answer}


@bp.orchestration_trigger(context_name="context")
def waits(context: df.DurableOrchestrationContext):
    begun = context.current_utc_datetime
    yield context.create_timer(begun + timedelta(seconds=context.get_input()))
    return (context.current_utc_datetime - begun).total_seconds()


@bp.orchestration_trigger(context_name="context")
def event_or_timer(context: df.DurableOrchestrationContext):
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=context.get_input()))
    event = context.wait_for_external_event("go")
    winner = yield context.task_any([event, timer])
    return {"event": event.result} if winner is event else "timer"


@bp.orchestration_trigger(context_name="context")
def ids(context: df.DurableOrchestrationContext):
    before = [context.new_uuid(), str(context.new_guid())]
    yield context.call_activity("greet", "x")
    return before


@bp.orchestration_trigger(context_name="context")
def about_itself(context: df.DurableOrchestrationContext):
    first = context.is_replaying
    yield context.call_activity("greet", "x")
    return {
        "id": context.instance_id,
        "replaying": [first, context.is_replaying],
        "version": context.version,
        "parent": context.parent_instance_id,
        "time": context.current_utc_datetime.isoformat(),
        "continues": context.will_continue_as_new,
        "context": context.function_context is not None,
    }


@bp.orchestration_trigger(context_name="context")
def family(context: df.DurableOrchestrationContext):
    return {"me": context.instance_id, "child": (yield context.call_sub_orchestrator("about_itself"))}


def _options(attempts: int) -> df.RetryOptions:
    return df.RetryOptions(first_retry_interval_in_milliseconds=20, max_number_of_attempts=attempts)


@bp.orchestration_trigger(context_name="context")
def retries(context: df.DurableOrchestrationContext):
    return (yield context.call_activity_with_retry("succeeds_at", _options(3), context.get_input()))


@bp.orchestration_trigger(context_name="context")
def fragile(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("succeeds_at", context.get_input()))


@bp.orchestration_trigger(context_name="context")
def retries_child(context: df.DurableOrchestrationContext):
    return (yield context.call_sub_orchestrator_with_retry("fragile", _options(3), context.get_input()))


@bp.orchestration_trigger(context_name="context")
def child_fails(context: df.DurableOrchestrationContext):
    return (yield context.call_sub_orchestrator("fragile", context.get_input()))


@bp.orchestration_trigger(context_name="context")
def looks_at_histories(context: df.DurableOrchestrationContext):
    return len(context.histories)
    yield


@bp.orchestration_trigger(context_name="context")
def counts(context: df.DurableOrchestrationContext):
    counter = df.EntityId("counter", context.get_input())
    yield context.call_entity(counter, "add", 5)
    yield context.call_entity(counter, "add", 3)
    return (yield context.call_entity(counter, "get"))


@bp.orchestration_trigger(context_name="context")
def signals(context: df.DurableOrchestrationContext):
    context.signal_entity(df.EntityId("counter", context.get_input()), "add", 10)
    return context.get_input()
    yield


@bp.orchestration_trigger(context_name="context")
def asks_thing(context: df.DurableOrchestrationContext):
    return (yield context.call_entity(df.EntityId("thing", context.get_input()), "tell"))


@bp.orchestration_trigger(context_name="context")
def calls_http(context: df.DurableOrchestrationContext):
    given = context.get_input()
    answer = yield context.call_http(given["method"], given["url"], given.get("content"))
    return {"status": answer.status_code, "content": answer.content}


@bp.entity_trigger(context_name="context", entity_name="counter")
def counter(context: df.DurableEntityContext) -> None:
    total = context.get_state(lambda: 0)
    if context.operation_name == "add":
        total += context.get_input()
    context.set_state(total)
    context.set_result(total)


@bp.entity_trigger(context_name="context", entity_name="thing")
def thing(context: df.DurableEntityContext) -> None:
    match context.operation_name:
        case "put":
            context.set_state(context.get_input())
        case "drop":
            context.destruct_on_exit()
        case "tell":
            context.set_result(
                {
                    "entity": context.entity_name,
                    "key": context.entity_key,
                    "operation": context.operation_name,
                    "state": context.get_state(lambda: None),
                    "new": context.is_newly_constructed,
                }
            )
