"""HTTP routes that use the client: one for each operation of it."""

import json
import logging
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from durabletask.client import EntityQuery, OrchestrationStatus
from durabletask.entities import EntityInstanceId
from durabletask.extensions.history_export import (
    AsyncExportHistoryClient,
    ExportDestination,
    ExportFormat,
    ExportFormatKind,
    ExportJobCreationOptions,
    ExportMode,
)
from durabletask.scheduled import AsyncScheduledTaskClient, ScheduleCreationOptions
from stores import FolderWriter

bp = df.Blueprint()


def _answer(value: Any, status: int = 200) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), status_code=status, mimetype="application/json")


def _state(found: Any) -> Any:
    if found is None:
        return None
    return {
        "status": found.runtime_status.name,
        "input": found.get_input(),
        "output": found.get_output(),
        "custom": found.get_custom_status(),
    }


@bp.route(route="ping")
def ping(req: func.HttpRequest) -> str:
    return "pong"


@bp.route(route="start/{name}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    given = req.get_json()
    instance = await client.schedule_new_orchestration(req.route_params["name"], input=given)
    return client.create_check_status_response(req, instance)


@bp.route(route="start-quietly", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def start_quietly(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    logging.info("information of the client")
    logging.warning("warning of the client")
    return _answer(await client.schedule_new_orchestration("says_little"))


@bp.route(route="instance/{id}/{action}", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def instance(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    each, given = req.route_params["id"], req.get_json()
    match req.route_params["action"]:
        case "state":
            return _answer(_state(await client.get_orchestration_state(each)))
        case "raise":
            await client.raise_orchestration_event(each, given["event"], data=given["data"])
        case "suspend":
            await client.suspend_orchestration(each)
        case "resume":
            await client.resume_orchestration(each)
        case "terminate":
            await client.terminate_orchestration(each, output=given)
        case "rewind":
            await client.rewind_orchestration(each, reason="again")
        case "restart":
            return _answer(await client.restart_orchestration(each, restart_with_new_instance_id=True))
        case "purge":
            return _answer((await client.purge_orchestration(each)).deleted_instance_count)
        case "history":
            return _answer([type(e).__name__ for e in await client.get_orchestration_history(each)])
        case "begun":
            return _answer(_state(await client.wait_for_orchestration_start(each, timeout=20)))
        case "ended":
            return _answer(_state(await client.wait_for_orchestration_completion(each, timeout=20)))
        case "payload":
            return _answer(dict(client.create_http_management_payload(req, each)))
    return _answer(None, 202)


@bp.route(route="instances", methods=["GET"])
@bp.durable_client_input(client_name="client")
async def instances(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    return _answer([each.instance_id for each in await client.get_all_orchestration_states()])


@bp.route(route="purge", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def purge(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    found = await client.purge_orchestrations_by(
        created_time_from=datetime.fromisoformat(req.get_json()),
        runtime_status=[OrchestrationStatus.COMPLETED],
    )
    return _answer(found.deleted_instance_count)


@bp.route(route="entity/{name}/{key}", methods=["GET", "POST"])
@bp.durable_client_input(client_name="client")
async def entity(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    target = EntityInstanceId(req.route_params["name"], req.route_params["key"])
    if req.method == "GET":
        found = await client.get_entity(target)
        return _answer(None if found is None else {"state": found.get_typed_state()})
    given = req.get_json()
    due = None if "after" not in given else datetime.now(UTC) + timedelta(seconds=given["after"])
    await client.signal_entity(target, given["operation"], input=given.get("input"), signal_time=due)
    return _answer(None, 202)


@bp.route(route="entities/{prefix}", methods=["GET"])
@bp.durable_client_input(client_name="client")
async def entities(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    found = await client.get_all_entities(
        EntityQuery(instance_id_starts_with=req.route_params["prefix"], include_state=True)
    )
    return _answer({each.id.key: [each.id.entity, each.get_typed_state()] for each in found})


@bp.route(route="clean", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def clean(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    found = await client.clean_entity_storage()
    return _answer([found.empty_entities_removed, found.orphaned_locks_released])


@bp.route(route="schedule/{id}", methods=["POST", "GET", "DELETE"])
@bp.durable_client_input(client_name="client")
async def schedule(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    schedules, each = AsyncScheduledTaskClient(client), req.route_params["id"]
    if req.method == "POST":
        plan = ScheduleCreationOptions(each, "tick", timedelta(seconds=1), orchestration_input=req.get_json())
        await schedules.create_schedule(plan)
    elif req.method == "DELETE":
        await schedules.get_schedule_client(each).delete()
    found = await schedules.get_schedule(each)
    return _answer(None if found is None else [found.schedule_id, found.status.name])


@bp.route(route="export/{container}", methods=["POST", "GET"])
@bp.durable_client_input(client_name="client")
async def export(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    writer = FolderWriter(f"{os.environ['SDK_FOLDER']}/exported")
    exports = AsyncExportHistoryClient(client, writer)
    container = req.route_params["container"]
    if req.method == "GET":
        job = await exports.get_job(container)
        return _answer(job and [job.status.value, job.exported_instances, job.last_error])
    given = req.get_json()
    begun = datetime.fromisoformat(given["from"])
    batch = given["mode"] == "batch"
    options = ExportJobCreationOptions(
        mode=ExportMode.BATCH if batch else ExportMode.CONTINUOUS,
        completed_time_from=begun,
        completed_time_to=datetime.now(UTC) if batch else None,
        destination=ExportDestination(container=container),
        format=ExportFormat(kind=ExportFormatKind.JSON),
    )
    return _answer((await exports.create_job(options, job_id=container)).job_id)
