"""A durable client without a host: what is started is done at once where it is asked to."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

from azure.durable_functions import DurableFunctionsClient
from durabletask.client import OrchestrationStatus

from shared.triggers import people_workflow
from tests.integration.archiving.durable import LIVING, function_of, refused


class Instances(DurableFunctionsClient):
    """Knows the instances it was told of; keeps which were started, purged and terminated."""

    def __init__(self) -> None:
        self.started: list[tuple[str, dict[str, Any], str]] = []
        self.purged: list[str] = []
        self.terminated: list[str] = []
        self.living: dict[str, OrchestrationStatus] = {}

    async def schedule_new_orchestration(self, orchestrator: Any, **options: Any) -> str:
        """Keep what should be started."""
        instance_id: str = options["instance_id"]
        if self.living.get(instance_id) in LIVING:
            raise refused()
        self.started.append((orchestrator, options["input"], instance_id))
        return instance_id

    async def get_orchestration_state(self, instance_id: str, *, fetch_payloads: bool = True) -> Any:
        """The status of an instance that is alive."""
        assert not fetch_payloads
        status = self.living.get(instance_id)
        return None if status is None else SimpleNamespace(runtime_status=status)

    async def purge_orchestration(self, instance_id: str, recursive: bool = True) -> Any:
        """Keep that it was purged."""
        self.purged.append(instance_id)

    async def terminate_orchestration(
        self, instance_id: str, *, output: Any = None, recursive: bool = True
    ) -> None:
        """It ends at once."""
        self.terminated.append(instance_id)
        self.living.pop(instance_id, None)

    async def prepare_export(self) -> None:
        """Do what the export that was started last would do."""
        name, given, _ = self.started.pop()
        assert name == "export_user"
        await function_of(people_workflow.prepare_user_export)(given["export_id"])

    async def erase(self) -> list[str]:
        """Do what the erasure that was started last would do, without its waits; the steps it stopped at."""
        name, given, _ = self.started.pop()
        assert name == "erase_user"
        return await self.advance(UUID(given["erasure_id"]))

    async def advance(self, erasure_id: UUID, *, force: bool = False, most: int = 50) -> list[str]:
        """Advance an erasure until it is over or waits for something."""
        steps: list[str] = []
        for _ in range(most):
            progress = await function_of(people_workflow.advance_user_erasure)(
                {"id": str(erasure_id), "force": force}, self
            )
            steps.append(progress["step"])
            if progress["over"] or progress["resume_at"]:
                break
        return steps
