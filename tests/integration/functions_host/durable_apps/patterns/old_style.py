"""The older style of Durable Functions, version 1 of the SDK, that apps still use."""

import json
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def old_mixture(context: df.DurableOrchestrationContext):
    greetings = yield context.task_all([context.call_activity("greet", name) for name in ("a", "b")])
    tally = df.EntityId("tally", context.get_input())
    yield context.call_entity(tally, "add", 3)
    context.signal_entity(tally, "add", 4)
    total = yield context.call_entity(tally, "get")
    options = df.RetryOptions(first_retry_interval_in_milliseconds=10, max_number_of_attempts=3)
    flaky = {"name": f"old-{context.instance_id}", "succeeds_at": 2}
    retried = yield context.call_activity_with_retry("fail_until", options, flaky)
    timer = context.create_timer(context.current_utc_datetime + timedelta(milliseconds=20))
    winner = yield context.task_any([context.wait_for_external_event("never"), timer])
    first = "timer" if winner is timer else "event"
    return {"greetings": greetings, "tally": total, "retried": retried, "first": first}


@bp.entity_trigger(context_name="context", entity_name="tally")
def tally(context: df.DurableEntityContext) -> None:
    total = context.get_state(lambda: 0)
    if context.operation_name == "add":
        total += context.get_input()
    context.set_state(total)
    context.set_result(total)


@bp.route(route="old/{action}/{id}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def old_client(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    answer = await _old_call(client, req.route_params["action"], req.route_params["id"])
    return func.HttpResponse(json.dumps(answer), mimetype="application/json")


async def _old_call(client: df.DurableOrchestrationClient, action: str, instance_id: str) -> Any:
    match action:
        case "suspend":
            return await client.suspend(instance_id, "lunch")
        case "resume":
            return await client.resume(instance_id, "back")
        case "raise":
            return await client.raise_event(instance_id, "approval", "by old client")
        case "restart":
            return await client.restart(instance_id)
        case "purge":
            return (await client.purge_instance_history(instance_id)).instances_deleted
        case "all":
            return [status.instance_id for status in await client.get_status_all()]
    return (await client.get_status(instance_id, show_history=True, show_history_output=True)).to_json()
