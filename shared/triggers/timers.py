"""The one timer."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import azure.durable_functions as df
import azure.functions as func

from shared.application import get_application
from shared.triggers import archive_workflow, people_workflow, verification_workflow
from shared.triggers.orchestrations import Workflow

blueprint = df.Blueprint()

#: By kind of work (shared.services.operation.dispatching.Work).
WORKFLOWS: Final[dict[str, Workflow]] = {
    "archive_run": archive_workflow.WORKFLOW,
    "verification": verification_workflow.WORKFLOW,
    "user_export": people_workflow.EXPORT,
    "user_erasure": people_workflow.ERASURE,
}


class DurableOrchestrations:
    """The orchestrations of the dispatcher's work, at the host that made the call."""

    def __init__(self, client: df.DurableFunctionsClient) -> None:
        self.client = client

    async def start(self, work: str, ids: Sequence[UUID]) -> None:
        """See Workflow.start_all."""
        await WORKFLOWS[work].start_all(self.client, ids)

    async def look_after(self, work: str, ids: Sequence[UUID]) -> None:
        """See Workflow.look_after."""
        await WORKFLOWS[work].look_after(self.client, ids)


# One timer, because Azure scales each timer function on its own instance (functions-host.md). Twice a minute,
# so that work without an orchestration restarts within 60 seconds.
@blueprint.timer_trigger(arg_name="timer", schedule="*/30 * * * * *", run_on_startup=False, use_monitor=False)
@blueprint.durable_client_input(client_name="client")
async def dispatch(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Do everything that is due: jobs, lost orchestrations, sealing, reminders, expiry, forgetting."""
    await get_application().operation.dispatcher.tick(DurableOrchestrations(client))
