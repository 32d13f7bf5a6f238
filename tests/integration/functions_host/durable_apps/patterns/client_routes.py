"""HTTP routes that use a durable client as an app does."""

import json
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from durabletask.entities import EntityInstanceId

bp = df.Blueprint()


def _answer(value: Any) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), mimetype="application/json")


@bp.route(route="start/{name}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    body = req.get_json()
    instance_id = await client.schedule_new_orchestration(
        req.route_params["name"], input=body.get("input"), instance_id=body.get("id")
    )
    return client.create_check_status_response(req, instance_id)


@bp.route(route="wait/{id}", methods=["GET"])
@bp.durable_client_input(client_name="client")
async def wait(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    state = await client.wait_for_orchestration_completion(req.route_params["id"], timeout=20)
    if state is None:
        return func.HttpResponse(status_code=404)
    return _answer({"status": state.runtime_status.name, "output": state.get_output()})


@bp.route(route="old-wait/{id}", methods=["GET"])
@bp.durable_client_input(client_name="client")
async def old_wait(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    return await client.wait_for_completion_or_create_check_status_response(
        req, req.route_params["id"], 5000, 100
    )


@bp.route(route="raise/{id}/{event}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def raise_event(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    event = req.route_params["event"]
    await client.raise_orchestration_event(req.route_params["id"], event, data=req.get_json())
    return func.HttpResponse(status_code=202)


@bp.route(route="signal/{key}/{op}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def signal(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    identity = EntityInstanceId("counter", req.route_params["key"])
    await client.signal_entity(identity, req.route_params["op"], input=req.get_json())
    return func.HttpResponse(status_code=202)


@bp.route(route="counter/{key}", methods=["GET"])
@bp.durable_client_input(client_name="client")
async def counter(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    found = await client.get_entity(EntityInstanceId("counter", req.route_params["key"]))
    return _answer(None if found is None else found.get_typed_state())


@bp.route(route="echo", methods=["GET"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("echo")
