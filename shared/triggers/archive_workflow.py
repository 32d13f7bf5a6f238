"""The orchestration of an archive run and its activities (design.md, Archive).

The orchestrator passes ids only; the truth is the database, which every activity reads afresh. Activities
are idempotent: each may run twice, even at the same time.
"""

import logging
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import azure.durable_functions as df
from durabletask.task import OrchestrationContext, RetryPolicy, TaskFailedError

from shared.application import get_application
from shared.domain.archive_run import RunMode
from shared.domain.run_progress import (
    FINISHING,
    PLANNING_BEGINS,
    applying_percent,
)
from shared.triggers import orchestrations

logger = logging.getLogger(__name__)
blueprint = df.Blueprint()

INSTANCE_PREFIX = "archive-"
ROUNDS_PER_GENERATION = 25
SETTLE_ATTEMPTS = 30
# Rounds in a row without any progress, each after its wait: then the run ends and the next one retries.
IDLE_ROUNDS = 60
# Infrastructure's retries live here alone (design.md): the database or the worker was away for a moment.
_RETRY = RetryPolicy(
    first_retry_interval=timedelta(seconds=2),
    max_number_of_attempts=3,
    backoff_coefficient=3.0,
    max_retry_interval=timedelta(seconds=30),
)


def instance_id(run_id: UUID) -> str:
    """The orchestration instance of a run."""
    return f"{INSTANCE_PREFIX}{run_id}"


@blueprint.orchestration_trigger(context_name="ctx")
def archive_calendar(ctx: OrchestrationContext, input: dict[str, Any]) -> Generator[Any, Any, Any]:
    """Settle, plan, apply until nothing is left, finish. Input: ``run_id``, and where a generation ended."""
    run_id = input["run_id"]
    done = _Done(input.get("writes", 0), input.get("done", 0), input.get("failed", 0))
    begun = yield ctx.call_activity("begin_archive_run", input=run_id, retry_policy=_RETRY)
    if not begun["mine"]:
        return None
    # Absent from the history of an instance that an earlier version began.
    patient = begun.get("patient", False)
    reason = None
    try:
        if not input.get("planned"):
            ctx.set_custom_status({"step": "settling", "percent": 0})
            yield from _settle(ctx, run_id)
            ctx.set_custom_status({"step": "planning", "percent": PLANNING_BEGINS})
            plan = yield ctx.call_activity("plan_archive_run", input=run_id, retry_policy=_RETRY)
            done.planned = plan["planned"]
            ctx.set_custom_status(done.status)
        applied = yield from _apply(ctx, run_id, input.get("idle", 0), done)
        if applied.remaining and applied.idle < IDLE_ROUNDS:
            following = {"writes": done.planned, "done": done.done, "failed": done.failed}
            ctx.continue_as_new({"run_id": run_id, "planned": True, "idle": applied.idle} | following)
            return None
        yield from _settle(ctx, run_id)
        if applied.remaining:
            reason = f"nothing could be written in {IDLE_ROUNDS} attempts"
    except TaskFailedError as failure:
        if patient and orchestrations.database_was_away(failure):
            # The run is not over: the dispatcher starts it again, and it goes on where it was.
            raise
        reason = f"{failure.details.error_type}: {failure.details.message}"[:500]
    ctx.set_custom_status(done.status | {"step": "finishing", "percent": FINISHING})
    finished = yield ctx.call_activity(
        "finish_archive_run", input={"run_id": run_id, "reason": reason}, retry_policy=_RETRY
    )
    over = {"step": "finished", "percent": 100, "state": finished["state"]}
    ctx.set_custom_status(done.status | over)
    return finished["state"]


@dataclass(frozen=True, slots=True)
class _Applied:
    """What a generation's rounds left; ``idle`` rounds in a row wrote nothing."""

    remaining: int
    idle: int


@dataclass(slots=True)
class _Done:
    """How many of the ``planned`` writes were done or failed so far, in all generations."""

    planned: int
    done: int
    failed: int

    @property
    def status(self) -> dict[str, Any]:
        """What a client sees while the run writes."""
        percent = applying_percent(self.planned, self.done + self.failed)
        return {
            "step": "applying",
            "percent": percent,
            "planned": self.planned,
            "done": self.done,
            "failed": self.failed,
        }


def _apply(ctx: OrchestrationContext, run_id: str, idle: int, done: _Done) -> Generator[Any, Any, _Applied]:
    """Apply until nothing is planned, nothing moves any more, or the generation's rounds are used."""
    remaining = 0
    for _ in range(ROUNDS_PER_GENERATION):
        progress = yield ctx.call_activity("apply_archive_run", input=run_id, retry_policy=_RETRY)
        remaining = progress["remaining"]
        done.done += progress["done"]
        done.failed += progress["failed"]
        ctx.set_custom_status(done.status | {"remaining": remaining})
        idle = 0 if progress["done"] or progress["failed"] else idle + 1
        if not remaining or idle >= IDLE_ROUNDS:
            break
        yield from _wait_until(ctx, progress["resume_at"])
    return _Applied(remaining, idle)


def _settle(ctx: OrchestrationContext, run_id: str) -> Generator[Any, Any]:
    """Settle until no operation is open, or leave the rest to the next run."""
    for attempt in range(SETTLE_ATTEMPTS):
        progress = yield ctx.call_activity(
            "settle_archive_run", input={"run_id": run_id, "attempt": attempt}, retry_policy=_RETRY
        )
        if not progress["open"]:
            return
        yield from _wait_until(ctx, progress["resume_at"])


def _wait_until(ctx: OrchestrationContext, instant: str | None) -> Generator[Any, Any]:
    if instant is None:
        return
    now = ctx.current_utc_datetime.replace(tzinfo=UTC)
    wait = datetime.fromisoformat(instant) - now
    if wait > timedelta(0):
        yield ctx.create_timer(wait)


@blueprint.activity_trigger(input_name="run")
async def begin_archive_run(run: str) -> dict[str, Any]:
    """Make the run the running one; ``mine`` is false where it waits for another or is over.

    ``patient``: a step that fails because the database was away does not end it.
    """
    begun = await get_application().archiving.begin(UUID(run))
    return {"mine": begun.mine, "correlation_id": begun.correlation_id, "patient": begun.patient}


@blueprint.activity_trigger(input_name="step")
async def settle_archive_run(step: dict) -> dict[str, Any]:  # type: ignore[type-arg] # the worker takes plain types only
    """Find out what became of open operations: ``{open, resume_at}``."""
    archiving = get_application().archiving
    async with archiving.acting_for(UUID(step["run_id"])):
        progress = await archiving.settle(UUID(step["run_id"]), step["attempt"])
        _log_step("settled", step["run_id"], open=progress.open)
    return {"open": progress.open, "resume_at": _iso(progress.resume_at)}


@blueprint.activity_trigger(input_name="run")
async def plan_archive_run(run: str) -> dict[str, Any]:
    """Plan the run; returns the counts."""
    app, run_id = get_application(), UUID(run)
    archiving = app.archiving
    async with archiving.acting_for(run_id) as mode:
        if mode is RunMode.PUT_BACK:
            plan = await app.copy_restoring.plan(run_id)
        elif mode is RunMode.REBUILD:
            plan = await app.rebuild_runs.plan(run_id)
        elif mode is RunMode.EDIT:
            plan = await app.owner_edits.plan(run_id)
        else:
            plan = await archiving.plan(run_id)
        counts = asdict(plan)
        _log_step("planned", run, **counts)
    return counts


@blueprint.activity_trigger(input_name="run")
async def apply_archive_run(run: str) -> dict[str, Any]:
    """Write what is planned, for a while: ``{done, failed, remaining, resume_at}``."""
    archiving = get_application().archiving
    async with archiving.acting_for(UUID(run)):
        progress = await archiving.apply(UUID(run))
        _log_step("applied", run, done=progress.done, failed=progress.failed, remaining=progress.remaining)
    return asdict(progress) | {"resume_at": _iso(progress.resume_at)}


@blueprint.activity_trigger(input_name="step")
@blueprint.durable_client_input(client_name="client")
async def finish_archive_run(step: dict, client: df.DurableFunctionsClient) -> dict[str, Any]:  # type: ignore[type-arg] # the worker takes plain types only
    """Write the report and start the next queued run of the configuration."""
    app, run_id = get_application(), UUID(step["run_id"])
    archiving = app.archiving
    async with archiving.acting_for(run_id):
        finished = await archiving.finish(run_id, step["reason"])
        _log_step("finished", step["run_id"], state=str(finished.state), reason=step["reason"])
        await app.copy_restoring.finished(run_id)
        await app.rebuild_runs.finished(run_id)
        month = await app.backfills.advance(run_id)
    # A backfill's next month waits for everything else (domain.md 2.14).
    following = finished.next_run_id or month
    if following is not None:
        await start_archive_run(client, following)
    return {"state": str(finished.state)}


async def start_archive_run(client: df.DurableFunctionsClient, run_id: UUID) -> None:
    """Start the orchestration of a run and note that it was; its first activity checks whose turn it is.

    One that is at work already is left alone. Raises what the Durable client raises.
    """
    await _start(client, run_id)
    await get_application().archiving.mark_dispatched(run_id)


async def start_archive_runs(client: df.DurableFunctionsClient, run_ids: Sequence[UUID]) -> None:
    """As ``start_archive_run``; one that cannot be started is logged and left to the next tick."""
    started = get_application().archiving.mark_dispatched
    await orchestrations.start_all(run_ids, partial(_start, client), started)


async def _start(client: df.DurableFunctionsClient, run_id: UUID) -> None:
    await orchestrations.start(client, "archive_calendar", instance_id(run_id), {"run_id": str(run_id)})


async def drive_archive_runs(client: df.DurableFunctionsClient, run_ids: Sequence[UUID]) -> None:
    """Start the runs' orchestrations again where they are missing, failed or over (design.md, Start)."""
    archiving = get_application().archiving

    async def drive(run_id: UUID, found: str) -> None:
        async with archiving.acting_for(run_id):
            extra = {"run_id": str(run_id), "found": found}
            logger.warning("archive run lost its orchestration", extra=extra)
            await start_archive_run(client, run_id)

    await orchestrations.drive(client, run_ids, instance_id, archiving.mark_dispatched, drive)


def _log_step(what: str, run_id: str, **facts: object) -> None:
    """One line a step, with the run's correlation id, which is bound while it is written."""
    logger.info("archive run %s", what, extra={"run_id": run_id, **facts})


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
