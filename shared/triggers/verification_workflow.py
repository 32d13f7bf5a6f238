"""The orchestration of a verification and its activities (domain.md 2.15).

As in the archive's workflow, the orchestrator passes only ids, and every activity may run twice, even at the
same time. A later attempt supersedes earlier ones.
"""

import logging
from collections.abc import Generator
from typing import Any
from uuid import UUID

import azure.durable_functions as df
from durabletask.task import OrchestrationContext, TaskFailedError

from shared.application import get_application
from shared.triggers import orchestrations
from shared.triggers.orchestrations import RETRY

logger = logging.getLogger(__name__)
blueprint = df.Blueprint()

ROUNDS_PER_GENERATION = 25
# Rounds in a row without any comparison, each after its wait (domain.md 8.3).
IDLE_ROUNDS = 10
WORKFLOW = orchestrations.Workflow(
    what="verification",
    orchestrator="verify_archive",
    prefix="verification-",
    id_name="verification_id",
    service=lambda: get_application().archiving.verifications,
)


@blueprint.orchestration_trigger(context_name="ctx")
def verify_archive(ctx: OrchestrationContext, input: dict[str, Any]) -> Generator[Any, Any, Any]:
    """Compare until nothing is left, then finish. Input: ``verification_id``, and a generation's counters."""
    verification_id, idle = input["verification_id"], input.get("idle", 0)
    percent = input.get("percent", 0)
    begun = yield ctx.call_activity("begin_verification", input=verification_id, retry_policy=RETRY)
    if not isinstance(begun, dict):
        # The history of an instance that an earlier version began.
        begun = {"mine": begun, "patient": False}
    if not begun["mine"]:
        return None
    reason, gone = None, False
    try:
        for _ in range(ROUNDS_PER_GENERATION):
            ctx.set_custom_status({"step": "comparing", "percent": percent})
            progress = yield ctx.call_activity(
                "compare_verification",
                input={"verification_id": verification_id, "idle": idle},
                retry_policy=RETRY,
            )
            reason, gone = progress["refused"], progress["gone"]
            idle = 0 if progress["percent"] > percent else idle + 1
            percent = max(percent, progress["percent"])
            if reason is not None or not progress["remaining"]:
                break
            if idle >= IDLE_ROUNDS:
                reason = f"nothing could be compared in {IDLE_ROUNDS} attempts"
                break
            yield from orchestrations.wait_until(ctx, progress["resume_at"])
        else:
            ctx.continue_as_new({"verification_id": verification_id, "idle": idle, "percent": percent})
            return None
    except TaskFailedError as failure:
        if begun["patient"] and orchestrations.database_was_away(failure):
            # It is not over. The dispatcher starts it again, and it continues.
            raise
        reason = orchestrations.reason_of(failure)
    ctx.set_custom_status({"step": "finishing", "percent": percent})
    state = yield ctx.call_activity(
        "finish_verification",
        input={"verification_id": verification_id, "reason": reason, "gone": gone},
        retry_policy=RETRY,
    )
    ctx.set_custom_status({"step": "finished", "percent": 100, "state": state})
    return state


@blueprint.activity_trigger(input_name="verification")
async def begin_verification(verification: str) -> dict[str, Any]:
    """Start the verification, or continue it. ``mine`` is false if it is over.

    ``patient``: a step that fails because the database was away does not end it.
    """
    begun = await get_application().archiving.verifications.begin(UUID(verification))
    return {"mine": begun.mine, "patient": begun.patient}


@blueprint.activity_trigger(input_name="step")
async def compare_verification(step: dict) -> dict[str, Any]:  # type: ignore[type-arg] # the worker takes plain types only
    """Compare for a while: ``{percent, remaining, resume_at, refused, gone}``."""
    verifications, verification_id = get_application().archiving.verifications, UUID(step["verification_id"])
    async with verifications.acting_for(verification_id):
        progress = await verifications.compare(verification_id, step["idle"])
        logger.info(
            "verification compared",
            extra={"verification_id": str(verification_id), "percent": progress.percent},
        )
    return {
        "percent": progress.percent,
        "remaining": progress.remaining,
        "resume_at": progress.resume_at.isoformat() if progress.resume_at else None,
        "refused": progress.refused,
        "gone": progress.gone,
    }


@blueprint.activity_trigger(input_name="step")
async def finish_verification(step: dict) -> str:  # type: ignore[type-arg] # the worker takes plain types only
    """Write the counts. Returns the state."""
    verifications, verification_id = get_application().archiving.verifications, UUID(step["verification_id"])
    async with verifications.acting_for(verification_id):
        state = await verifications.finish(verification_id, step["reason"], gone=step["gone"])
        logger.info(
            "verification finished", extra={"verification_id": str(verification_id), "state": str(state)}
        )
    return str(state)


async def start_verification(client: df.DurableFunctionsClient, verification_id: UUID) -> None:
    """Start the orchestration of a verification. See Workflow.start."""
    await WORKFLOW.start(client, verification_id)
