"""What the host puts around the archive workflow, small enough to look through."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import grpc
from azure.durable_functions import DurableFunctionsClient
from durabletask.client import OrchestrationStatus
from durabletask.task import TaskFailedError

from shared.triggers.archive_workflow import archive_calendar

START = datetime(2026, 3, 2, 2)  # noqa: DTZ001 - Durable's clock is naive UTC

type Call = tuple[str, Any]
#: What an activity answers, by its input and how often it was called before; an exception fails it.
type Script = Callable[[Any, int], Any]


def function_of(builder: Any) -> Callable[..., Any]:
    """The function as it was written, under what the decorators put around it."""
    function = builder._function.get_user_function()
    for name in ("orchestrator_function", "client_function"):
        if hasattr(function, name):
            function = getattr(function, name)
    written: Callable[..., Any] = inspect.unwrap(function)
    return written


@dataclass
class Context:
    """The part of an orchestration context that the workflow uses; everything asked of it is kept."""

    now: datetime = START
    calls: list[Call] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    following: dict[str, Any] | None = None

    @property
    def current_utc_datetime(self) -> datetime:
        """The replayed time, naive as Durable's is."""
        return self.now

    def call_activity(self, name: str, *, input: Any, retry_policy: Any) -> Call:
        """Ask for an activity; every one of them is retried by its policy."""
        assert retry_policy.max_number_of_attempts == 3
        self.calls.append((name, input))
        return self.calls[-1]

    def create_timer(self, wait: timedelta) -> Call:
        """Ask for a durable timer."""
        self.calls.append(("timer", wait))
        return self.calls[-1]

    def set_custom_status(self, status: dict[str, Any]) -> None:
        """Keep what a client would see."""
        self.statuses.append(status)

    def continue_as_new(self, following: dict[str, Any]) -> None:
        """The next generation's input."""
        assert self.following is None
        self.following = following

    @property
    def names(self) -> list[str]:
        """The steps, in order: activities without the common ending, and timers."""
        return [name.removesuffix("_archive_run") for name, _ in self.calls]


@dataclass
class Outcome:
    """A generation that ended: what it asked for, what it was answered and when, and what it returned."""

    context: Context
    result: Any
    history: list[tuple[datetime, Any]]


def drive(given: dict[str, Any], scripts: dict[str, Script]) -> Outcome:
    """Run one generation of the orchestration; timers pass at once on its clock."""
    context, counts = Context(), dict.fromkeys(scripts, 0)
    history: list[tuple[datetime, Any]] = []

    def answer(call: Call) -> Any:
        name, argument = call
        if name == "timer":
            context.now += argument
            return None
        context.now += timedelta(seconds=1)
        name = name.removesuffix("_archive_run")
        counts[name] += 1
        result = scripts[name](argument, counts[name] - 1)
        return TaskFailedError(f"{name} failed", result) if isinstance(result, Exception) else result

    steps = function_of(archive_calendar)(context, given)
    try:
        asked = next(steps)
        while True:
            replied = answer(asked)
            history.append((context.now, replied))
            asked = steps.throw(replied) if isinstance(replied, Exception) else steps.send(replied)
    except StopIteration as end:
        return Outcome(context, end.value, history)


def replay(given: dict[str, Any], history: Sequence[tuple[datetime, Any]]) -> Context:
    """Run the orchestration from its beginning over what has happened so far."""
    context = Context()
    steps = function_of(archive_calendar)(context, given)
    try:
        next(steps)
        for now, replied in history:
            context.now = now
            if isinstance(replied, Exception):
                steps.throw(replied)
            else:
                steps.send(replied)
    except StopIteration:
        pass
    return context


LIVING = frozenset(
    {
        OrchestrationStatus.RUNNING,
        OrchestrationStatus.PENDING,
        OrchestrationStatus.SUSPENDED,
        OrchestrationStatus.CONTINUED_AS_NEW,
    }
)


def refused(code: grpc.StatusCode = grpc.StatusCode.ALREADY_EXISTS) -> grpc.aio.AioRpcError:
    """What the client raises when the host refuses a call, by default for an instance that lives."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="refused")


class RecordingClient(DurableFunctionsClient):
    """A durable client without a host: knows the instances it was told of, keeps those it was to start.

    An instance that lives is not replaced, as at the host.
    """

    def __init__(self) -> None:
        self.started: list[tuple[str, dict[str, Any], str]] = []
        self.looked_up: list[str] = []
        self._instances: dict[str, OrchestrationStatus] = {}

    def remember(self, instance_id: str, status: OrchestrationStatus) -> None:
        """An instance that is there."""
        self._instances[instance_id] = status

    async def schedule_new_orchestration(self, orchestrator: Any, **options: Any) -> str:
        """Keep what should be started."""
        instance_id: str = options["instance_id"]
        if self._instances.get(instance_id) in LIVING:
            raise refused()
        self.started.append((orchestrator, options["input"], instance_id))
        self._instances[instance_id] = OrchestrationStatus.PENDING
        return instance_id

    async def get_orchestration_state(self, instance_id: str, *, fetch_payloads: bool = True) -> Any:
        """The status of an instance that is there."""
        assert not fetch_payloads
        self.looked_up.append(instance_id)
        status = self._instances.get(instance_id)
        return None if status is None else SimpleNamespace(runtime_status=status)
