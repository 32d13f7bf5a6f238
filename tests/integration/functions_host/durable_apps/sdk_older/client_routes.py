"""HTTP routes that use the client of version 1: one for each operation of it."""

import json
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

bp = df.Blueprint()


def _answer(value: Any, status: int = 200) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), status_code=status, mimetype="application/json")


def _state(found: df.DurableOrchestrationStatus) -> Any:
    if found.runtime_status is None:
        return None
    return {
        "status": found.runtime_status.name.upper(),
        "input": found.input_,
        "output": found.output,
        "custom": found.custom_status,
    }


@bp.route(route="start/{name}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance = await client.start_new(req.route_params["name"], client_input=req.get_json())
    return client.create_check_status_response(req, instance)


@bp.route(route="instance/{id}/{action}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def instance(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    each, given = req.route_params["id"], req.get_json()
    match req.route_params["action"]:
        case "state":
            return _answer(_state(await client.get_status(each, show_input=True)))
        case "raise":
            await client.raise_event(each, given["event"], given["data"])
        case "suspend":
            await client.suspend(each, "lunch")
        case "resume":
            await client.resume(each, "back")
        case "terminate":
            await client.terminate(each, given)
        case "rewind":
            try:
                await client.rewind(each, "again")
            except NotImplementedError:
                return _answer(None, 501)
        case "restart":
            return _answer(await client.restart(each))
        case "purge":
            return _answer((await client.purge_instance_history(each)).instances_deleted)
        case "history":
            found = await client.get_status(each, show_history=True)
            return _answer([event["EventType"] for event in found.to_json()["historyEvents"]])
        case "ended":
            return await client.wait_for_completion_or_create_check_status_response(req, each, 20000, 50)
        case "payload":
            links = client.get_client_response_links(req, each)
            return _answer([dict(client.create_http_management_payload(each)), dict(links)])
    return _answer(None, 202)


@bp.route(route="instances", methods=["GET"])
@bp.durable_client_input(client_name="client")
async def instances(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    wanted = req.params.get("status")
    if wanted is None:
        found = await client.get_status_all()
    else:
        found = await client.get_status_by(runtime_status=[df.OrchestrationRuntimeStatus(wanted)])
    return _answer([each.instance_id for each in found])


@bp.route(route="purge", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def purge(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    found = await client.purge_instance_history_by(
        created_time_from=datetime.fromisoformat(req.get_json()),
        created_time_to=datetime.now(UTC),
        runtime_status=[df.OrchestrationRuntimeStatus.Completed],
    )
    return _answer(found.instances_deleted)


@bp.route(route="entity/{name}/{key}", methods=["GET", "POST"])
@bp.durable_client_input(client_name="client")
async def entity(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    target = df.EntityId(req.route_params["name"], req.route_params["key"])
    if req.method == "GET":
        found = await client.read_entity_state(target)
        return _answer({"state": found.entity_state} if found.entity_exists else None)
    given = req.get_json()
    await client.signal_entity(target, given["operation"], given.get("input"))
    return _answer(None, 202)
