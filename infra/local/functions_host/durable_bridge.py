"""Joins the Durable engine to the app: which functions it may run, how it runs them, what clients receive."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from aiohttp import web

from infra.local.functions_host.config import HostConfig
from infra.local.functions_host.functions import (
    ACTIVITY_TRIGGER,
    DURABLE_TRIGGERS,
    ENTITY_TRIGGER,
    ORCHESTRATION_TRIGGER,
    Function,
)
from infra.local.functions_host.invocation import FunctionFailed
from infra.local.functions_host.protos import TypedData
from infra.local.functions_host.worker import Worker

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Engine(Protocol):
    """What the host asks of the Durable engine."""

    async def start(self) -> None:
        """Begins to run what is due."""

    async def stop(self, grace: float = 3.0) -> None:
        """Runs nothing new and lets go of everything."""

    def client_binding(self) -> str:
        """The value of a durable client binding."""

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path and handler of each operation of the management API."""

    @property
    def backlog(self) -> int:
        """Number of work items that wait or run."""


def needs_engine(functions: Sequence[Function]) -> bool:
    """True if any function is part of Durable Functions or has a durable client."""
    return any(f.trigger.kind in DURABLE_TRIGGERS or f.client_parameters for f in functions)


def make_engine(
    functions: Sequence[Function],
    worker: Worker,
    config: HostConfig,
    *,
    client_binding: Callable[[], TypedData],
    state: Path,
    base_url: str,
    management_key: str,
) -> Engine:
    """The engine for these functions, not started; its state is one file in `state`."""
    # Imported here: it brings gRPC with it, which an app without Durable Functions need not wait for.
    from infra.local.functions_host.durable import DurableEngine
    from infra.local.functions_host.durable.execution import Limits, OwnWorker
    from infra.local.functions_host.durable.versioning import Versioning

    options = config.durable_options
    engine: Engine = DurableEngine(
        hub_name=config.hub_name,
        state_path=state / "durable.sqlite3",
        executor=OwnWorker(
            invoker(functions, worker, client_binding),
            Limits.from_options(options),
            Versioning.from_options(options),
        ),
        base_url=base_url,
        options=options,
        orchestrators=names_of(functions, ORCHESTRATION_TRIGGER),
        activities=names_of(functions, ACTIVITY_TRIGGER),
        entities=names_of(functions, ENTITY_TRIGGER),
        management_key=management_key,
    )
    return engine


def join_engine(
    functions: Sequence[Function],
    worker: Worker,
    config: HostConfig,
    *,
    client_binding: Callable[[], TypedData],
    url: str,
    instance: str,
    listens: bool,
) -> Engine:
    """The engine at `url`, shared with other instances, not joined yet.

    An instance that does not listen runs no Durable functions; it is only a client.
    """
    from infra.local.functions_host.durable.execution import Limits
    from infra.local.functions_host.durable.remote_engine import RemoteEngine
    from infra.local.functions_host.durable.versioning import Versioning

    options = config.durable_options
    return RemoteEngine(
        url,
        instance,
        invoker(functions, worker, client_binding),
        Limits.from_options(options) if listens else Limits(0, 0, 0),
        Versioning.from_options(options),
        {kind.removesuffix("trigger"): list(names_of(functions, kind)) for kind in DURABLE_TRIGGERS},
    )


def trigger_input(function: Function, text: str) -> TypedData:
    """The trigger's argument: JSON for an activity, base64 protobuf as string for orchestrator and entity."""
    return TypedData(json=text) if function.trigger.kind == ACTIVITY_TRIGGER else TypedData(string=text)


def names_of(functions: Sequence[Function], kind: str) -> Collection[str]:
    """The Durable names of the functions with this trigger."""
    return [function.durable_name for function in functions if function.trigger.kind == kind]


def invoker(
    functions: Sequence[Function], worker: Worker, client_binding: Callable[[], TypedData]
) -> Callable[[str, str, str], Awaitable[str]]:
    """What runs a function of this app by Durable name, kind and data; it raises FunctionFailed."""
    by_name: Mapping[tuple[str, str], Function] = {
        (function.trigger.kind, function.durable_name.lower()): function
        for function in functions
        if function.trigger.kind in DURABLE_TRIGGERS
    }

    async def invoke(name: str, kind: str, data: str) -> str:
        trigger = kind.lower().removesuffix("trigger") + "trigger"
        function = by_name.get((trigger, name.lower()))
        if function is None:
            raise FunctionFailed(f"The app has no {kind} of the name '{name}'.", "FunctionNotFound", "")
        inputs = {function.trigger.name: trigger_input(function, data)}
        for parameter in function.client_parameters:
            inputs[parameter] = client_binding()
        result = await worker.invoke(function.name, inputs)
        if result.failure is not None:
            raise result.failure
        value = result.return_value
        return "" if value is None or value.value is None else str(value.value)

    return invoke
