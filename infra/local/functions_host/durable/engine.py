"""The Durable engine as the host uses it: it starts, stops, and tells clients where it is."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from google.protobuf.message import DecodeError

from infra.local.functions_host.durable.execution import Executor
from infra.local.functions_host.durable.grpc_service import ClientService
from infra.local.functions_host.durable.http_calls import of_this_hub
from infra.local.functions_host.durable.http_entities import EntityApi
from infra.local.functions_host.durable.http_instances import InstanceApi
from infra.local.functions_host.durable.http_payloads import Handler, management_urls
from infra.local.functions_host.durable.journal import Journal
from infra.local.functions_host.durable.management import DurableBackend
from infra.local.functions_host.durable.ports import RememberedPorts
from infra.local.functions_host.durable.pump import Pump
from infra.local.functions_host.durable.refusals import StorageError
from infra.local.functions_host.durable.versioning import Versioning
from infra.local.functions_host.errors import StartupError

WEBHOOK_PATH = "/runtime/webhooks/durabletask"
_LARGEST_MESSAGE = 2**31 - 1
# These describe every call of a client at INFO.
_TALKATIVE = ("durabletask-client", "durabletask-async_client", "durabletask.testing")
_REPLAYS = "azure.durable_functions.worker"


def _lower(names: Collection[str]) -> frozenset[str]:
    """Function names are compared without case."""
    return frozenset(name.lower() for name in names)


def _a_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _worth_saying(record: logging.LogRecord) -> bool:
    """Not the line that the SDK writes at every step of every running orchestration."""
    return " yielded with " not in str(record.msg)


class DurableEngine:
    """Runs orchestrations, activities and entities of one task hub; `state_path` is its SQLite file.

    `executor` runs the functions: base64 protobuf in and out for orchestrators and entities, JSON for
    activities. `orchestrators`, `activities` and `entities` are their names; `know` adds more.
    `base_url` is where the host serves HTTP; `management_key` is the key in the management URLs, which the
    host checks. `options` is `extensions.durableTask` of `host.json`.
    """

    def __init__(
        self,
        *,
        hub_name: str,
        state_path: Path,
        executor: Executor,
        base_url: str,
        options: Mapping[str, Any],
        management_key: str,
        orchestrators: Collection[str] = (),
        activities: Collection[str] = (),
        entities: Collection[str] = (),
    ) -> None:
        self._hub_name = hub_name
        self._base_url = base_url.rstrip("/")
        query = {"taskHub": hub_name, "connection": "Storage", "code": management_key}
        self._query = urlencode({name: value for name, value in query.items() if value})
        self._journal = Journal(state_path, hub_name)
        self.hub = DurableBackend(self._journal)
        self.hub.orchestrator_names = _lower(orchestrators)
        self.hub.activity_names = _lower(activities)
        self.hub.entity_names = _lower(entities)
        self.hub.admission = executor
        self.hub.default_version = Versioning.from_options(options).default_version
        self.hub.replace_any_state = options.get("overridableExistingInstanceStates") == "AnyState"
        self._pump = Pump(self.hub, executor)
        self._ports = RememberedPorts(state_path.with_name("durable-ports.json"))
        self._services: dict[str | None, tuple[ClientService, int]] = {}

    def know(
        self, orchestrators: Collection[str], activities: Collection[str], entities: Collection[str]
    ) -> None:
        """Takes in names of functions; what no host ever had is refused."""
        self.hub.names_known = True
        self.hub.orchestrator_names |= _lower(orchestrators)
        self.hub.activity_names |= _lower(activities)
        self.hub.entity_names |= _lower(entities)

    def look_again(self) -> None:
        """Offers what waits for a host of its version, or for a host at all: there may be one now."""
        self.hub.look_again()
        self._pump.wake()

    async def start(self) -> None:
        """Takes up the saved state and runs what is due. Raises StartupError if the state cannot be used."""
        for name in _TALKATIVE:
            # A level would not do: every new client sets it to INFO again.
            logging.getLogger(name).addFilter(_a_warning)
        logging.getLogger(_REPLAYS).addFilter(_worth_saying)
        try:
            await asyncio.to_thread(self._journal.open)
        except StorageError as error:
            raise StartupError(str(error)) from error
        try:
            await asyncio.to_thread(self.hub.restore)
        except (sqlite3.Error, DecodeError) as error:
            await asyncio.to_thread(self._journal.close)
            raise StartupError(f"The saved Durable state cannot be read: {error}") from error
        self._journal.begin()
        self._serve_clients(self.hub.default_version)
        self._pump.start()

    async def stop(self, grace: float = 3.0) -> None:
        """Runs nothing new, lets running functions end for `grace` seconds, saves, closes."""
        await self._pump.stop(grace)
        for service, _ in self._services.values():
            await asyncio.to_thread(service.stop, 0.2)
        await asyncio.to_thread(self._journal.close)

    def _serve_clients(self, default_version: str | None) -> int:
        """The port for clients whose host has this `defaultVersion`."""
        if default_version not in self._services:
            service = ClientService(self.hub, default_version)
            self._services[default_version] = service, service.start(self._ports.get(default_version))
            self._ports.keep(default_version, self._services[default_version][1])
        return self._services[default_version][1]

    def client_binding(self) -> str:
        """The JSON that a durable client of the app is made from."""
        return self.client_binding_of(self.hub.default_version)

    def client_binding_of(self, default_version: str | None) -> str:
        """The same for a host that has this `defaultVersion`."""
        webhook = self._base_url + WEBHOOK_PATH
        return json.dumps(
            {
                "taskHubName": self._hub_name,
                "connectionName": "Storage",
                "rpcBaseUrl": f"http://127.0.0.1:{self._serve_clients(default_version)}",
                "baseUrl": webhook,
                "httpBaseUrl": webhook,
                "useForwardedHost": False,
                "requiredQueryStringParameters": self._query,
                "maxGrpcMessageSizeInBytes": _LARGEST_MESSAGE,
                "grpcHttpClientTimeout": "00:01:40",
                "creationUrls": {
                    "createNewInstancePostUri": f"{webhook}/orchestrators/{{functionName}}[/{{instanceId}}]?"
                    + self._query
                },
                "managementUrls": {
                    "id": "INSTANCEID",
                    **management_urls(webhook, "INSTANCEID", self._query),
                },
            }
        )

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path and handler of every operation of the HTTP management API."""
        instances = InstanceApi(self.hub, WEBHOOK_PATH, self._query)
        found = [*instances.routes(), *EntityApi(self.hub, WEBHOOK_PATH).routes()]
        return [(method, path, of_this_hub(handler, self._hub_name)) for method, path, handler in found]

    @property
    def backlog(self) -> int:
        """Number of work items that wait or run."""
        return self.hub.waiting_work + self._pump.running
