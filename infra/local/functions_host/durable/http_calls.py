"""How a handler of the management API does its work: durable before it answers, refusals as HTTP statuses."""

import asyncio
from collections.abc import Callable
from functools import wraps

import grpc
from aiohttp import web

from infra.local.functions_host.durable.http_payloads import Handler
from infra.local.functions_host.durable.management import DurableBackend
from infra.local.functions_host.durable.records import Instance
from infra.local.functions_host.durable.refusals import HubError
from infra.local.functions_host.durable.tracked import Watcher

_STATUS_OF = {
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 410,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAVAILABLE: 503,
}


def guarded(handler: Handler) -> Handler:
    """The handler with refusals answered as JSON `{"message": …}`."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except HubError as refusal:
            return web.json_response({"message": str(refusal)}, status=_STATUS_OF.get(refusal.code, 500))

    return answer


def of_this_hub(handler: Handler, hub_name: str) -> Handler:
    """The handler for requests that name this task hub or none; another one is not here."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        asked = next((value for key, value in request.query.items() if key.lower() == "taskhub"), "")
        if asked and asked.lower() != hub_name.lower():
            return web.json_response({"message": f"There is no task hub '{asked}'."}, status=404)
        return await handler(request)

    return answer


async def done[T](hub: DurableBackend, work: Callable[[], T]) -> T:
    """Does the work; returns when it is on disk. Raises what the work refuses, or StorageError."""
    with hub.change() as change:
        result = work()
    if change.written is not None:
        await asyncio.wrap_future(change.written)
    return result


async def finished(hub: DurableBackend, instance_id: str, patience: float) -> Instance | None:
    """Waits up to `patience` seconds for the end of the instance; None if it has not ended or is gone."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Instance | None] = loop.create_future()

    def told(instance: Instance | None) -> None:
        if not outcome.done():
            outcome.set_result(instance)

    def tell(instance: Instance | None) -> None:
        loop.call_soon_threadsafe(told, instance)

    stop_watching = hub.watch(Watcher(instance_id, lambda instance: instance.finished, tell))
    try:
        return await asyncio.wait_for(outcome, patience)
    except TimeoutError:
        return None
    finally:
        stop_watching()
