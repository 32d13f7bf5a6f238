"""Where the functions of the hub run: in this host's own worker, or on any free instance."""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from infra.local.functions_host.durable.versioning import Versioning

Invoke = Callable[[str, str, str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many functions of each kind run at a time."""

    orchestrations: int
    activities: int
    entities: int

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Limits":
        """`maxConcurrent…Functions` of `extensions.durableTask`; ten for each core where not given."""
        usual = 10 * (os.cpu_count() or 1)
        orchestrations = int(options.get("maxConcurrentOrchestratorFunctions") or usual)
        return cls(
            orchestrations,
            int(options.get("maxConcurrentActivityFunctions") or usual),
            int(options.get("maxConcurrentEntityFunctions") or orchestrations),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function returned, and the `defaultVersion` of the host that ran it."""

    text: str
    default_version: str | None = None


class Executor(Protocol):
    """Runs functions for the hub."""

    @property
    def limits(self) -> Limits:
        """How many functions may run at present."""

    def mismatch(self, version: str | None) -> str | None:
        """Why no orchestration of `version` may run at present, None if one may."""

    @property
    def fail_on_mismatch(self) -> bool:
        """True if an orchestration whose version does not fit fails, False if it waits."""

    async def run(self, name: str, kind: str, data: str, version: str | None = None) -> Answer:
        """Runs a function, "orchestration", "activity" or "entity".

        An orchestration runs only where its `version` may. Raises FunctionFailed if the function does.
        """


class OwnWorker:
    """Runs everything in the worker of this process."""

    def __init__(self, invoke: Invoke, limits: Limits, versioning: Versioning) -> None:
        self.limits = limits
        self._invoke = invoke
        self._versioning = versioning

    def mismatch(self, version: str | None) -> str | None:
        """Why an orchestration of `version` may not run here, None if it may."""
        return self._versioning.mismatch(version)

    @property
    def fail_on_mismatch(self) -> bool:
        """The `versionFailureStrategy` of this host."""
        return self._versioning.fail_on_mismatch

    async def run(self, name: str, kind: str, data: str, version: str | None = None) -> Answer:
        """Runs the function here."""
        return Answer(await self._invoke(name, kind, data), self._versioning.default_version)
