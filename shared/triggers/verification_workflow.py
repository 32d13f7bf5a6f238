"""The orchestration of a verification and its activities (domain.md 2.15).

As in the archive's workflow, the orchestrator passes ids only and every activity may run twice, even at the
same time: a later attempt supersedes the one before it.
"""

import logging
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import azure.durable_functions as df
from durabletask.task import OrchestrationContext, RetryPolicy, TaskFailedError

from shared.application import get_application
from shared.triggers import orchestrations

logger = logging.getLogger(__name__)
blueprint = df.Blueprint()

INSTANCE_PREFIX = "verification-"
ROUNDS_PER_GENERATION = 25
# Rounds in a row in which nothing was compared, each after its wait (domain.md 8.3).
IDLE_ROUNDS = 10
_RETRY = RetryPolicy(
    first_retry_interval=timedelta(seconds=2),
    max_number_of_attempts=3,
    backoff_coefficient=3.0,
    max_retry_interval=timedelta(seconds=30),
)


def instance_id(verification_id: UUID) -> str:
    """The orchestration instance of a verification."""
    return f"{INSTANCE_PREFIX}{verification_id}"


@blueprint.orchestration_trigger(context_name="ctx")
def verify_archive(ctx: OrchestrationContext, input: dict[str, Any]) -> Generator[Any, Any, Any]:
    """Compare until nothing is left, then finish. Input: ``verification_id``, where a generation ended."""
    verification_id, idle = input["verification_id"], input.get("idle", 0)
    percent = input.get("percent", 0)
    mine = yield ctx.call_activity("begin_verification", input=verification_id, retry_policy=_RETRY)
    if not mine:
        return None
    reason, gone = None, False
    try:
        for _ in range(ROUNDS_PER_GENERATION):
            ctx.set_custom_status({"step": "comparing", "percent": percent})
            progress = yield ctx.call_activity(
                "compare_verification",
                input={"verification_id": verification_id, "idle": idle},
                retry_policy=_RETRY,
            )
            reason, gone = progress["refused"], progress["gone"]
            idle = 0 if progress["percent"] > percent else idle + 1
            percent = max(percent, progress["percent"])
            if reason is not None or not progress["remaining"]:
                break
            if idle >= IDLE_ROUNDS:
                reason = f"nothing could be compared in {IDLE_ROUNDS} attempts"
                break
            yield from _wait_until(ctx, progress["resume_at"])
        else:
            ctx.continue_as_new({"verification_id": verification_id, "idle": idle, "percent": percent})
            return None
    except TaskFailedError as failure:
        reason = f"{failure.details.error_type}: {failure.details.message}"[:500]
    ctx.set_custom_status({"step": "finishing", "percent": percent})
    state = yield ctx.call_activity(
        "finish_verification",
        input={"verification_id": verification_id, "reason": reason, "gone": gone},
        retry_policy=_RETRY,
    )
    ctx.set_custom_status({"step": "finished", "percent": 100, "state": state})
    return state


def _wait_until(ctx: OrchestrationContext, instant: str | None) -> Generator[Any, Any]:
    if instant is None:
        return
    wait = datetime.fromisoformat(instant) - ctx.current_utc_datetime.replace(tzinfo=UTC)
    if wait > timedelta(0):
        yield ctx.create_timer(wait)


@blueprint.activity_trigger(input_name="verification")
async def begin_verification(verification: str) -> bool:
    """Start the verification or go on with it; false when it is over."""
    return await get_application().verifications.begin(UUID(verification))


@blueprint.activity_trigger(input_name="step")
async def compare_verification(step: dict) -> dict[str, Any]:  # type: ignore[type-arg] # the worker takes plain types only
    """Compare for a while: ``{percent, remaining, resume_at, refused, gone}``."""
    verifications, verification_id = get_application().verifications, UUID(step["verification_id"])
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
    """Write the counts; returns the state."""
    verifications, verification_id = get_application().verifications, UUID(step["verification_id"])
    async with verifications.acting_for(verification_id):
        state = await verifications.finish(verification_id, step["reason"], gone=step["gone"])
        logger.info(
            "verification finished", extra={"verification_id": str(verification_id), "state": str(state)}
        )
    return str(state)


async def start_verification(client: df.DurableFunctionsClient, verification_id: UUID) -> None:
    """Start the orchestration of a verification and note that it was; one at work is left alone.

    Raises what the Durable client raises.
    """
    await _start(client, verification_id)
    await get_application().verifications.mark_dispatched(verification_id)


async def start_verifications(client: df.DurableFunctionsClient, verification_ids: Sequence[UUID]) -> None:
    """As ``start_verification``; one that cannot be started is logged and left to the next tick."""
    started = get_application().verifications.mark_dispatched
    await orchestrations.start_all(verification_ids, partial(_start, client), started)


async def _start(client: df.DurableFunctionsClient, verification_id: UUID) -> None:
    given = {"verification_id": str(verification_id)}
    await orchestrations.start(client, "verify_archive", instance_id(verification_id), given)


async def drive_verifications(client: df.DurableFunctionsClient, verification_ids: Sequence[UUID]) -> None:
    """Start the orchestrations again where they are missing, failed or over."""
    verifications = get_application().verifications

    async def drive(verification_id: UUID, found: str) -> None:
        async with verifications.acting_for(verification_id):
            extra = {"verification_id": str(verification_id), "found": found}
            logger.warning("verification lost its orchestration", extra=extra)
            await start_verification(client, verification_id)

    await orchestrations.drive(client, verification_ids, instance_id, verifications.mark_dispatched, drive)
