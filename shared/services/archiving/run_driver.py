"""Drives a run from its first step to its last, in every mode (design.md, Archive).

The activities of the orchestration call only these steps. Only this module decides which planner a mode has
and what follows the end of a run. Each step may run twice, even at the same time.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol
from uuid import UUID

from shared.domain.runs.archive_run import RunMode, RunState
from shared.domain.runs.plan_counts import PlanCounts
from shared.services.archiving.applying import ApplyProgress
from shared.services.archiving.reconciling import ReconcileProgress
from shared.services.archiving.service import ArchivingService, BegunRun

logger = logging.getLogger(__name__)


class ModePlanner(Protocol):
    """Plans the runs of one mode."""

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Plan a run, or continue its plan. Returns the plan's counts."""
        ...


class FinishStep(Protocol):
    """Updates the things that requested a run when the run is over."""

    async def finished(self, run_id: UUID) -> None:
        """Update them after the run's end. Do nothing if the run has no such thing."""
        ...


class Backfills(Protocol):
    """Continues a backfill with its next month when a month's run is over (domain.md 2.14)."""

    async def advance(self, run_id: UUID) -> UUID | None:
        """The next month's run, to be started. None if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, and the run whose orchestration starts next."""

    state: RunState
    following: UUID | None


class RunDriver:
    """The steps of every run: begin, reconcile, plan, apply, reconcile, finish."""

    def __init__(
        self,
        archiving: ArchivingService,
        planners: Mapping[RunMode, ModePlanner],
        finish_steps: Sequence[FinishStep],
        backfills: Backfills,
    ) -> None:
        """``planners`` has the planners of modes that archiving itself does not plan."""
        self._archiving = archiving
        self._planners = planners
        self._finish_steps = finish_steps
        self._backfills = backfills

    async def begin(self, run_id: UUID) -> BegunRun:
        """See ArchivingService.begin."""
        return await self._archiving.begin(run_id)

    async def reconcile(self, run_id: UUID, attempt: int) -> ReconcileProgress:
        """See Reconciler.reconcile. Raises NotFound, as do the steps below."""
        async with self._archiving.acting_for(run_id):
            progress = await self._archiving.reconcile(run_id, attempt)
            _log("reconciled", run_id, open=progress.open)
        return progress

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Plan the run as its mode requires. Returns the plan's counts."""
        async with self._archiving.acting_for(run_id) as mode:
            counts = await self._planners.get(mode, self._archiving).plan(run_id)
            _log("planned", run_id, **asdict(counts))
        return counts

    async def apply(self, run_id: UUID) -> ApplyProgress:
        """See Applier.apply."""
        async with self._archiving.acting_for(run_id):
            progress = await self._archiving.apply(run_id)
            _log("applied", run_id, done=progress.done, failed=progress.failed, remaining=progress.remaining)
        return progress

    async def finish(self, run_id: UUID, reason: str | None = None) -> RunEnd:
        """Write the report, and update everything that waited for the run.

        The configuration's next queued run follows. A backfill's next month comes after all other runs
        (2.14).
        """
        async with self._archiving.acting_for(run_id):
            finished = await self._archiving.finish(run_id, reason)
            _log("finished", run_id, state=str(finished.state), reason=reason)
            for step in self._finish_steps:
                await step.finished(run_id)
            month = await self._backfills.advance(run_id)
        return RunEnd(finished.state, finished.next_run_id or month)


def _log(what: str, run_id: UUID, **facts: object) -> None:
    """Write one log line for a step, with the run's correlation id. The id is bound while the step runs."""
    logger.info("archive run %s", what, extra={"run_id": str(run_id), **facts})
