"""The orchestration of an archive run and its activities (design.md, Archive).

The orchestrator passes only ids. The database holds the state, and every activity reads it again. Activities
are idempotent: each may run twice, even at the same time.
"""

from collections.abc import Generator
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import azure.durable_functions as df
from durabletask.task import OrchestrationContext, TaskFailedError

from shared.application import get_application
from shared.domain.runs.run_progress import FINISHING, PLANNING_BEGINS, applying_percent
from shared.triggers import orchestrations
from shared.triggers.orchestrations import RETRY

blueprint = df.Blueprint()

ROUNDS_PER_GENERATION = 25
RECONCILE_ATTEMPTS = 30
# Rounds in a row without progress, each after its wait. Then the run ends and the next one retries.
IDLE_ROUNDS = 60
WORKFLOW = orchestrations.Workflow(
    what="archive run",
    orchestrator="archive_calendar",
    prefix="archive-",
    id_name="run_id",
    service=lambda: get_application().archiving.service,
)


@blueprint.orchestration_trigger(context_name="ctx")
def archive_calendar(ctx: OrchestrationContext, input: dict[str, Any]) -> Generator[Any, Any, Any]:
    """Reconcile, plan, apply until nothing is left, finish.

    The input has ``run_id``, and the counters of the previous generation.
    """
    run_id = input["run_id"]
    done = _Done(input.get("writes", 0), input.get("done", 0), input.get("failed", 0))
    begun = yield ctx.call_activity("begin_archive_run", input=run_id, retry_policy=RETRY)
    if not begun["mine"]:
        return None
    # Missing in the history of an instance that an earlier version began.
    patient = begun.get("patient", False)
    reason = None
    try:
        if not input.get("planned"):
            ctx.set_custom_status({"step": "settling", "percent": 0})
            yield from _reconcile(ctx, run_id)
            ctx.set_custom_status({"step": "planning", "percent": PLANNING_BEGINS})
            plan = yield ctx.call_activity("plan_archive_run", input=run_id, retry_policy=RETRY)
            done.planned = plan["planned"]
            ctx.set_custom_status(done.status)
        remaining, idle = yield from _apply(ctx, run_id, input.get("idle", 0), done)
        if remaining and idle < IDLE_ROUNDS:
            following = {"writes": done.planned, "done": done.done, "failed": done.failed}
            ctx.continue_as_new({"run_id": run_id, "planned": True, "idle": idle} | following)
            return None
        yield from _reconcile(ctx, run_id)
        if remaining:
            reason = f"nothing could be written in {IDLE_ROUNDS} attempts"
    except TaskFailedError as failure:
        if patient and orchestrations.database_was_away(failure):
            # The run is not over. The dispatcher starts it again, and it continues.
            raise
        reason = orchestrations.reason_of(failure)
    ctx.set_custom_status(done.status | {"step": "finishing", "percent": FINISHING})
    finished = yield ctx.call_activity(
        "finish_archive_run", input={"run_id": run_id, "reason": reason}, retry_policy=RETRY
    )
    over = {"step": "finished", "percent": 100, "state": finished["state"]}
    ctx.set_custom_status(done.status | over)
    return finished["state"]


class _Done:
    """How many of the ``planned`` writes are done or failed so far, in all generations."""

    def __init__(self, planned: int, done: int, failed: int) -> None:
        self.planned = planned
        self.done = done
        self.failed = failed

    @property
    def status(self) -> dict[str, Any]:
        """The progress for clients while the run writes."""
        percent = applying_percent(self.planned, self.done + self.failed)
        return {
            "step": "applying",
            "percent": percent,
            "planned": self.planned,
            "done": self.done,
            "failed": self.failed,
        }


def _apply(
    ctx: OrchestrationContext, run_id: str, idle: int, done: _Done
) -> Generator[Any, Any, tuple[int, int]]:
    """Apply until nothing is planned, nothing moves any more, or the generation's rounds are used.

    Returns how many writes remain, and how many rounds in a row wrote nothing.
    """
    remaining = 0
    for _ in range(ROUNDS_PER_GENERATION):
        progress = yield ctx.call_activity("apply_archive_run", input=run_id, retry_policy=RETRY)
        remaining = progress["remaining"]
        done.done += progress["done"]
        done.failed += progress["failed"]
        ctx.set_custom_status(done.status | {"remaining": remaining})
        idle = 0 if progress["done"] or progress["failed"] else idle + 1
        if not remaining or idle >= IDLE_ROUNDS:
            break
        yield from orchestrations.wait_until(ctx, progress["resume_at"])
    return remaining, idle


def _reconcile(ctx: OrchestrationContext, run_id: str) -> Generator[Any, Any]:
    """Reconcile until no operation is open, or leave the rest to the next run."""
    for attempt in range(RECONCILE_ATTEMPTS):
        progress = yield ctx.call_activity(
            "settle_archive_run",
            input={"run_id": run_id, "attempt": attempt},
            retry_policy=RETRY,
        )
        if not progress["open"]:
            return
        yield from orchestrations.wait_until(ctx, progress["resume_at"])


@blueprint.activity_trigger(input_name="run")
async def begin_archive_run(run: str) -> dict[str, Any]:
    """Make the run the running one. ``mine`` is false if it waits for another run or is over.

    ``patient``: a step that fails because the database was away does not end the run.
    """
    begun = await get_application().archiving.run_driver.begin(UUID(run))
    return {"mine": begun.mine, "correlation_id": begun.correlation_id, "patient": begun.patient}


@blueprint.activity_trigger(input_name="step")
async def settle_archive_run(step: dict) -> dict[str, Any]:  # type: ignore[type-arg] # the worker takes plain types only
    """Reconcile open operations: ``{open, resume_at}``.

    The name is part of running instances' histories, so it stays.
    """
    progress = await get_application().archiving.run_driver.reconcile(UUID(step["run_id"]), step["attempt"])
    return {"open": progress.open, "resume_at": _iso(progress.resume_at)}


@blueprint.activity_trigger(input_name="run")
async def plan_archive_run(run: str) -> dict[str, Any]:
    """Plan the run. Returns the counts."""
    return asdict(await get_application().archiving.run_driver.plan(UUID(run)))


@blueprint.activity_trigger(input_name="run")
async def apply_archive_run(run: str) -> dict[str, Any]:
    """Write what is planned, for a while: ``{done, failed, remaining, resume_at}``."""
    progress = await get_application().archiving.run_driver.apply(UUID(run))
    return asdict(progress) | {"resume_at": _iso(progress.resume_at)}


@blueprint.activity_trigger(input_name="step")
@blueprint.durable_client_input(client_name="client")
async def finish_archive_run(step: dict, client: df.DurableFunctionsClient) -> dict[str, Any]:  # type: ignore[type-arg] # the worker takes plain types only
    """Write the report and start the run that follows."""
    end = await get_application().archiving.run_driver.finish(UUID(step["run_id"]), step["reason"])
    if end.following is not None:
        await start_archive_run(client, end.following)
    return {"state": str(end.state)}


async def start_archive_run(client: df.DurableFunctionsClient, run_id: UUID) -> None:
    """Start the orchestration of a run. Its first activity checks whose turn it is. See Workflow.start."""
    await WORKFLOW.start(client, run_id)


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
