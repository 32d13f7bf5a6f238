"""Entities in the HTTP management API (Durable Functions docs, "HTTP API reference": signal, get, list)."""

import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from durabletask.entities import EntityInstanceId

from infra.local.functions_host.durable.http_calls import done, guarded
from infra.local.functions_host.durable.http_instances import CONTINUATION
from infra.local.functions_host.durable.http_payloads import (
    Handler,
    from_json,
    json_time,
    query_flag,
    query_number,
    query_time,
)
from infra.local.functions_host.durable.management import DurableBackend, EntityFilter
from infra.local.functions_host.durable.records import Entity
from infra.local.functions_host.durable.refusals import (
    InvalidArgumentError,
    NotFoundError,
    UnknownFunctionError,
)


class EntityApi:
    """Handlers under `path`."""

    def __init__(self, hub: DurableBackend, path: str) -> None:
        self._hub = hub
        self._path = path

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path and handler of each operation."""
        entities = f"{self._path}/entities"
        one = f"{entities}/{{entityName}}/{{entityKey}}"
        found: list[tuple[str, str, Handler]] = [
            ("GET", entities, self._list),
            ("GET", f"{entities}/{{entityName}}", self._list),
            ("GET", one, self._get),
            ("POST", one, self._signal),
        ]
        return [(method, path, guarded(handler)) for method, path, handler in found]

    async def _get(self, request: web.Request) -> web.Response:
        entity = self._hub.find_entity(str(_identity(request)))
        if entity is None or not entity.exists:
            raise NotFoundError("There is no such entity.")
        return web.json_response(from_json(entity.serialized_state))

    async def _signal(self, request: web.Request) -> web.Response:
        identity = _identity(request)
        if identity.entity not in self._hub.entity_names:
            raise UnknownFunctionError(f"The app has no entity '{identity.entity}'.")
        operation = request.query.get("op", "")
        text = await request.text()
        await done(self._hub, lambda: self._hub.signal(str(identity), operation, _as_json(text)))
        return web.Response(status=202)

    async def _list(self, request: web.Request) -> web.Response:
        name = request.match_info.get("entityName", "")
        wanted = EntityFilter(
            f"@{name.lower()}@" if name else "@",
            query_time(request, "lastOperationTimeFrom"),
            query_time(request, "lastOperationTimeTo"),
        )
        token = request.headers.get(CONTINUATION, "")
        page, following = self._hub.page_of_entities(wanted, query_number(request, "top"), token)
        fetch_state = query_flag(request, "fetchState")
        return web.json_response(
            [_payload(entity, fetch_state=fetch_state) for entity in page],
            headers={CONTINUATION: following} if following else None,
        )


def _identity(request: web.Request) -> EntityInstanceId:
    try:
        return EntityInstanceId(request.match_info["entityName"], request.match_info["entityKey"])
    except ValueError as error:
        raise InvalidArgumentError(str(error)) from error


def _as_json(text: str) -> str | None:
    """The body as JSON; what is not JSON is taken as a string."""
    if not text.strip():
        return None
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def _payload(entity: Entity, *, fetch_state: bool) -> dict[str, Any]:
    identity = EntityInstanceId.parse(entity.instance_id)
    payload: dict[str, Any] = {
        "entityId": {"name": identity.entity, "key": identity.key},
        "lastOperationTime": json_time(entity.last_modified_at),
    }
    if fetch_state:
        payload["state"] = from_json(entity.serialized_state)
    return payload
