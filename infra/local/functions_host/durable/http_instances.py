"""Orchestration instances in the HTTP management API (Durable Functions docs, "HTTP API reference")."""

import json
from collections.abc import Sequence

from aiohttp import web

from infra.local.functions_host.durable.http_calls import done, finished, guarded
from infra.local.functions_host.durable.http_payloads import (
    Handler,
    from_json,
    history_payload,
    json_body,
    management_urls,
    query_flag,
    query_number,
    query_statuses,
    query_time,
    status_payload,
)
from infra.local.functions_host.durable.management import DurableBackend, InstanceFilter
from infra.local.functions_host.durable.records import Instance
from infra.local.functions_host.durable.refusals import InvalidArgumentError, WrongStateError

#: Set by an instance that passes a request on: its `defaultVersion`.
DEFAULT_VERSION = "x-functions-default-version"
CONTINUATION = "x-ms-continuation-token"
_POLL_SECONDS = "10"


class InstanceApi:
    """Handlers under `path`; `query` is what every management URL carries (task hub, key)."""

    def __init__(self, hub: DurableBackend, path: str, query: str) -> None:
        self._hub = hub
        self._path = path
        self._query = query

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path and handler of each operation."""
        start, instances = f"{self._path}/orchestrators/{{name}}", f"{self._path}/instances"
        one = f"{instances}/{{instanceId}}"
        found: list[tuple[str, str, Handler]] = [
            ("POST", start, self._start),
            ("POST", f"{start}/{{instanceId}}", self._start),
            ("GET", instances, self._list),
            ("DELETE", instances, self._purge_all),
            ("GET", one, self._status),
            ("DELETE", one, self._purge),
            ("POST", f"{one}/raiseEvent/{{eventName}}", self._raise_event),
            ("POST", f"{one}/terminate", self._terminate),
            ("POST", f"{one}/suspend", self._suspend),
            ("POST", f"{one}/resume", self._resume),
            ("POST", f"{one}/rewind", self._rewind),
            ("POST", f"{one}/restart", self._restart),
        ]
        return [(method, path, guarded(handler)) for method, path, handler in found]

    async def _start(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        asked_id = request.match_info.get("instanceId", "")
        name = request.match_info["name"]
        version = request.headers.get(DEFAULT_VERSION)
        instance_id = await done(self._hub, lambda: self._hub.create(name, asked_id, body, version=version))
        timeout = query_number(request, "timeout")
        if timeout:
            ended = await finished(self._hub, instance_id, timeout)
            if ended is not None:
                return web.json_response(_outcome(ended))
        return self._check_status(request, instance_id)

    async def _status(self, request: web.Request) -> web.Response:
        instance = self._instance(request)
        show_input = query_flag(request, "showInput", default=True)
        history = None
        if query_flag(request, "showHistory"):
            history = history_payload(
                self._hub.history_of(instance.instance_id),
                show_input=show_input,
                show_output=query_flag(request, "showHistoryOutput"),
            )
        payload = status_payload(instance, show_input=show_input, history=history)
        if not instance.finished:
            headers = {"Location": str(request.url), "Retry-After": _POLL_SECONDS}
            return web.json_response(payload, status=202, headers=headers)
        tell_failure = query_flag(request, "returnInternalServerErrorOnFailure")
        failed = tell_failure and instance.failure_details is not None
        return web.json_response(payload, status=500 if failed else 200)

    async def _list(self, request: web.Request) -> web.Response:
        size = query_number(request, "top")
        token = request.headers.get(CONTINUATION, "")
        page, following = self._hub.page_of_instances(_filter(request), size, token)
        show_input = query_flag(request, "showInput", default=True)
        return web.json_response(
            [status_payload(instance, show_input=show_input) for instance in page],
            headers={CONTINUATION: following} if following else None,
        )

    async def _raise_event(self, request: web.Request) -> web.Response:
        instance = self._unfinished(request)
        if request.content_type.lower() != "application/json":
            raise InvalidArgumentError("Only application/json request content is supported.")
        body = await json_body(request)
        name = request.match_info["eventName"]
        await done(self._hub, lambda: self._hub.raise_event(instance.instance_id, name, body))
        return web.Response(status=202)

    async def _terminate(self, request: web.Request) -> web.Response:
        instance = self._unfinished(request)
        output = _reason(request)
        recursive = query_flag(request, "recursive")
        await done(
            self._hub,
            lambda: self._hub.terminate(
                instance.instance_id, None if output is None else json.dumps(output), recursive=recursive
            ),
        )
        return web.Response(status=202)

    async def _suspend(self, request: web.Request) -> web.Response:
        instance = self._unfinished(request)
        await done(self._hub, lambda: self._hub.suspend(instance.instance_id, _reason(request)))
        return web.Response(status=202)

    async def _resume(self, request: web.Request) -> web.Response:
        instance = self._unfinished(request)
        await done(self._hub, lambda: self._hub.resume(instance.instance_id, _reason(request)))
        return web.Response(status=202)

    async def _rewind(self, request: web.Request) -> web.Response:
        instance = self._instance(request)
        await done(self._hub, lambda: self._hub.rewind(instance.instance_id, _reason(request)))
        return web.Response(status=202)

    async def _restart(self, request: web.Request) -> web.Response:
        instance = self._instance(request)
        new_id = query_flag(request, "restartWithNewInstanceId", default=True)
        started = await done(self._hub, lambda: self._hub.restart(instance.instance_id, new_id=new_id))
        return self._check_status(request, started)

    async def _purge(self, request: web.Request) -> web.Response:
        instance_id = self._instance(request).instance_id
        return _purged(await done(self._hub, lambda: self._hub.purge(instance_id)))

    async def _purge_all(self, request: web.Request) -> web.Response:
        wanted = _filter(request)
        if wanted.created_from is None:
            raise InvalidArgumentError("'createdTimeFrom' is required: nothing was purged.")
        return _purged(await done(self._hub, lambda: self._hub.purge_all(wanted)))

    def _instance(self, request: web.Request) -> Instance:
        return self._hub.require(request.match_info["instanceId"])

    def _unfinished(self, request: web.Request) -> Instance:
        instance = self._instance(request)
        if instance.finished:
            raise WrongStateError(f"The instance '{instance.instance_id}' has already finished.")
        return instance

    def _check_status(self, request: web.Request, instance_id: str) -> web.Response:
        webhook = f"{request.url.origin()}{self._path}"
        urls = management_urls(webhook, instance_id, self._query)
        headers = {"Location": urls["statusQueryGetUri"], "Retry-After": _POLL_SECONDS}
        return web.json_response({"id": instance_id, **urls}, status=202, headers=headers)


def _filter(request: web.Request) -> InstanceFilter:
    return InstanceFilter(
        query_statuses(request),
        query_time(request, "createdTimeFrom"),
        query_time(request, "createdTimeTo"),
        request.query.get("instanceIdPrefix", ""),
    )


def _reason(request: web.Request) -> str | None:
    return request.query.get("reason")


def _outcome(instance: Instance) -> object:
    if instance.failure_details is not None or instance.output is None:
        return status_payload(instance, show_input=True)
    return from_json(instance.output)


def _purged(count: int) -> web.Response:
    if not count:
        return web.json_response({"message": "There is no finished instance to purge."}, status=404)
    return web.json_response({"instancesDeleted": count})
