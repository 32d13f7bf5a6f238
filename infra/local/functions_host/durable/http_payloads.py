"""What the management API says: URLs, statuses, histories (Durable Functions docs, "HTTP API reference")."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import durabletask.internal.orchestrator_service_pb2 as pb
from aiohttp import web

from infra.local.functions_host.durable.records import Instance
from infra.local.functions_host.durable.refusals import InvalidArgumentError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STATUS_NAMES: Mapping[int, str] = {
    pb.ORCHESTRATION_STATUS_RUNNING: "Running",
    pb.ORCHESTRATION_STATUS_COMPLETED: "Completed",
    pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW: "ContinuedAsNew",
    pb.ORCHESTRATION_STATUS_FAILED: "Failed",
    pb.ORCHESTRATION_STATUS_CANCELED: "Canceled",
    pb.ORCHESTRATION_STATUS_TERMINATED: "Terminated",
    pb.ORCHESTRATION_STATUS_PENDING: "Pending",
    pb.ORCHESTRATION_STATUS_SUSPENDED: "Suspended",
}
_STATUS_NUMBERS = {name.lower(): number for number, name in STATUS_NAMES.items()}


def management_urls(webhook: str, instance_id: str, query: str) -> dict[str, str]:
    """The URLs through which one instance is managed; `{text}` and `{eventName}` are left to the caller."""
    instance = f"{webhook}/instances/{quote(instance_id, safe='')}"
    return {
        "statusQueryGetUri": f"{instance}?{query}",
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
        "rewindPostUri": f"{instance}/rewind?reason={{text}}&{query}",
        "purgeHistoryDeleteUri": f"{instance}?{query}",
        "restartPostUri": f"{instance}/restart?{query}",
        "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
        "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
    }


def status_payload(
    instance: Instance, *, show_input: bool, history: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The status of an instance as JSON; a failed one's output is its message."""
    output = from_json(instance.output)
    if output is None and instance.failure_details is not None:
        output = instance.failure_details.errorMessage
    return {
        "name": instance.name,
        "instanceId": instance.instance_id,
        "runtimeStatus": STATUS_NAMES.get(instance.status, "Unknown"),
        "input": from_json(instance.input) if show_input else None,
        "customStatus": from_json(instance.custom_status),
        "output": output,
        "createdTime": json_time(instance.created_at),
        "lastUpdatedTime": json_time(instance.last_updated_at),
        "historyEvents": history,
    }


def history_payload(
    events: list[pb.HistoryEvent], *, show_input: bool, show_output: bool
) -> list[dict[str, Any]]:
    """The history as JSON, requests folded into their answers, as the documented API shows it."""
    # The SDK's own projection, so that the API and a durable client say the same.
    from azure.durable_functions.internal.compat.history_projection import project_history
    from durabletask.internal.history_helpers import collect_history_events

    converted = collect_history_events([pb.HistoryChunk(events=events)])
    projected: list[dict[str, Any]] = project_history(
        converted, show_input=show_input, show_history_output=show_output
    )
    return projected


def from_json(text: str | None) -> Any:
    """The value that `text` is the JSON of; the text itself if it is none."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def json_time(moment: datetime) -> str:
    """`moment` in UTC, to the second, with `Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def query_time(request: web.Request, name: str) -> datetime | None:
    """The time in a query parameter, UTC where no zone is said. Raises InvalidArgumentError."""
    text = request.query.get(name)
    if not text:
        return None
    try:
        # A plus sign that was not encoded arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise InvalidArgumentError(f"'{name}' is not an ISO 8601 time: '{text}'.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def query_flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    """A query parameter that is `true` or `false`. Raises InvalidArgumentError."""
    text = request.query.get(name, "").lower()
    if text not in {"", "true", "false"}:
        raise InvalidArgumentError(f"'{name}' must be true or false, not '{text}'.")
    return text == "true" if text else default


def query_number(request: web.Request, name: str) -> int:
    """A query parameter that is a whole number from 0, 0 if absent. Raises InvalidArgumentError."""
    text = request.query.get(name, "")
    if not text:
        return 0
    if not text.isdecimal():
        raise InvalidArgumentError(f"'{name}' must be a whole number, not '{text}'.")
    return int(text)


def query_statuses(request: web.Request) -> frozenset[int]:
    """The statuses of `runtimeStatus`, comma-separated or repeated. Raises InvalidArgumentError."""
    names = [name.strip() for text in request.query.getall("runtimeStatus", []) for name in text.split(",")]
    unknown = [name for name in names if name and name.lower() not in _STATUS_NUMBERS]
    if unknown:
        raise InvalidArgumentError(f"'{unknown[0]}' is not a runtime status.")
    return frozenset(_STATUS_NUMBERS[name.lower()] for name in names if name)


async def json_body(request: web.Request) -> str | None:
    """The request's body, which must be JSON; None if it is empty. Raises InvalidArgumentError."""
    text = await request.text()
    if not text.strip():
        return None
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidArgumentError(f"The body is not valid JSON: {error}") from error
    return text
