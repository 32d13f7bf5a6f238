"""The orchestrations of exports and erasures of persons, and their activities (domain.md 15).

The orchestrators pass only ids. The database holds the state, and every activity reads it again. Activities
are idempotent: each may run twice, even at the same time.
"""

import logging
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import azure.durable_functions as df
from durabletask.task import OrchestrationContext, RetryPolicy, TaskFailedError

from shared.application import get_application
from shared.triggers import orchestrations

logger = logging.getLogger(__name__)
blueprint = df.Blueprint()

#: Activities per generation of an erasure's orchestration, so that its history stays short.
ROUNDS_PER_GENERATION: Final = 25
#: Checks of one instance that should be over, a quarter of a minute apart, before it is terminated.
PATIENCE: Final = 20
# The only retries of infrastructure (design.md): the database, Graph or a store was away for a moment.
_RETRY = RetryPolicy(
    first_retry_interval=timedelta(seconds=5),
    max_number_of_attempts=5,
    backoff_coefficient=3.0,
    max_retry_interval=timedelta(minutes=5),
)


EXPORT = orchestrations.Workflow(
    what="user export",
    orchestrator="export_user",
    prefix="user-export-",
    id_name="export_id",
    service=lambda: get_application().people.exports,
)
ERASURE = orchestrations.Workflow(
    what="user erasure",
    orchestrator="erase_user",
    prefix="user-erasure-",
    id_name="erasure_id",
    service=lambda: get_application().people.eraser,
)


@blueprint.orchestration_trigger(context_name="ctx")
def export_user(ctx: OrchestrationContext, input: dict[str, Any]) -> Generator[Any, Any, Any]:
    """Prepare the file. Record the reason if that fails."""
    export_id = input["export_id"]
    try:
        state = yield ctx.call_activity("prepare_user_export", input=export_id, retry_policy=_RETRY)
    except TaskFailedError as failure:
        reason = {"id": export_id, "reason": orchestrations.reason_of(failure)}
        yield ctx.call_activity("fail_user_export", input=reason, retry_policy=_RETRY)
        return "failed"
    return state


@blueprint.orchestration_trigger(context_name="ctx")
def erase_user(ctx: OrchestrationContext, input: dict[str, Any]) -> Generator[Any, Any, Any]:
    """Advance until it is over, and wait for things that must end first. Input: ``erasure_id``."""
    erasure_id = input["erasure_id"]
    waits = input.get("waits", 0)
    try:
        for _ in range(ROUNDS_PER_GENERATION):
            progress = yield ctx.call_activity(
                "advance_user_erasure",
                input={"id": erasure_id, "force": waits >= PATIENCE},
                retry_policy=_RETRY,
            )
            ctx.set_custom_status({"step": progress["step"]})
            if progress["over"]:
                return "over"
            if progress["resume_at"] is None:
                waits = 0
                continue
            waits += 1
            yield from orchestrations.wait_until(ctx, progress["resume_at"])
    except TaskFailedError as failure:
        reason = {"id": erasure_id, "reason": orchestrations.reason_of(failure)}
        yield ctx.call_activity("fail_user_erasure", input=reason, retry_policy=_RETRY)
        return "failed"
    ctx.continue_as_new({"erasure_id": erasure_id, "waits": waits})
    return None


@blueprint.activity_trigger(input_name="export")
async def prepare_user_export(export: str) -> str:
    """Write the file of an export. Returns its state."""
    exports = get_application().people.exports
    export_id = UUID(export)
    async with exports.acting_for(export_id):
        state = await exports.prepare(export_id)
    logger.info("user export prepared", extra={"export_id": export, "state": str(state)})
    return str(state or "gone")


@blueprint.activity_trigger(input_name="failure")
async def fail_user_export(failure: dict) -> str:  # type: ignore[type-arg] # the worker takes plain types only
    """Record that an export could not be prepared."""
    exports = get_application().people.exports
    export_id = UUID(failure["id"])
    async with exports.acting_for(export_id):
        await exports.fail(export_id, failure["reason"])
    return "failed"


@blueprint.activity_trigger(input_name="round")
@blueprint.durable_client_input(client_name="client")
async def advance_user_erasure(round: dict, client: df.DurableFunctionsClient) -> dict[str, Any]:  # type: ignore[type-arg] # the worker takes plain types only
    """Work on an erasure for about a minute: ``{over, step, resume_at}``."""
    eraser = get_application().people.eraser
    erasure_id = UUID(round["id"])
    async with eraser.acting_for(erasure_id):
        progress = await eraser.advance(erasure_id, _Hub(client, force=round["force"]))
    resume_at = None if progress.resume_at is None else progress.resume_at.isoformat()
    return {"over": progress.over, "step": progress.step, "resume_at": resume_at}


@blueprint.activity_trigger(input_name="failure")
async def fail_user_erasure(failure: dict) -> str:  # type: ignore[type-arg] # the worker takes plain types only
    """Record why an erasure cannot continue."""
    eraser = get_application().people.eraser
    erasure_id = UUID(failure["id"])
    async with eraser.acting_for(erasure_id):
        await eraser.fail(erasure_id, failure["reason"])
    return "failed"


async def start_user_export(client: df.DurableFunctionsClient, export_id: UUID) -> None:
    """Start the orchestration of an export. See Workflow.start."""
    await EXPORT.start(client, export_id)


async def start_user_erasure(client: df.DurableFunctionsClient, erasure_id: UUID) -> None:
    """Start the orchestration of an erasure. See Workflow.start."""
    await ERASURE.start(client, erasure_id)


class _Hub:
    """The task hub's histories. With ``force``, an instance that does not end is terminated.

    Its work is over by then, so ending is all that is left to do.
    """

    def __init__(self, client: df.DurableFunctionsClient, *, force: bool) -> None:
        self._client = client
        self._force = force

    async def forget(self, instance_id: str) -> bool:
        """Purge an instance. False while it is not over."""
        if not await orchestrations.lives(self._client, instance_id):
            await self._client.purge_orchestration(instance_id)
            return True
        if self._force:
            await self._client.terminate_orchestration(instance_id)
        return False
