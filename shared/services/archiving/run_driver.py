"""A run from its first step to its last, whatever its mode (design.md, Archive).

The activities of the run's orchestration call these steps, and nothing else: which planner a mode has and
what follows the end of a run is decided here alone. Each step may run twice, even at the same time.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol
from uuid import UUID

from shared.domain.runs.archive_run import RunMode, RunState
from shared.services.archiving.applying import ApplyProgress
from shared.services.archiving.plan_counts import PlanCounts
from shared.services.archiving.service import ArchivingService, BegunRun
from shared.services.archiving.settling import SettleProgress

logger = logging.getLogger(__name__)


class Planner(Protocol):
    """Plans the runs of a mode."""

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Plan a run, or go on with its plan; returns what it counts."""
        ...


class FinishStep(Protocol):
    """What looks after the things that a run was asked for by, once the run is over."""

    async def finished(self, run_id: UUID) -> None:
        """Bring them up to the run's end; nothing where the run is none of theirs."""
        ...


class Backfills(Protocol):
    """What goes on with the next month when a month's run is over (domain.md 2.14)."""

    async def advance(self, run_id: UUID) -> UUID | None:
        """The next month's run, to be started; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, and the run whose orchestration is to be started now."""

    state: RunState
    following: UUID | None


class RunDriver:
    """The steps of every run: begin, settle, plan, apply, settle, finish."""

    def __init__(
        self,
        archiving: ArchivingService,
        planners: Mapping[RunMode, Planner],
        finish_steps: Sequence[FinishStep],
        backfills: Backfills,
    ) -> None:
        """``planners`` has the modes that archiving does not plan itself."""
        self._archiving = archiving
        self._planners = planners
        self._finish_steps = finish_steps
        self._backfills = backfills

    async def begin(self, run_id: UUID) -> BegunRun:
        """See ArchivingService.begin."""
        return await self._archiving.begin(run_id)

    async def settle(self, run_id: UUID, attempt: int) -> SettleProgress:
        """See Settler.settle. Raises NotFound, as do the steps below."""
        async with self._archiving.acting_for(run_id):
            progress = await self._archiving.settle(run_id, attempt)
            _log("settled", run_id, open=progress.open)
        return progress

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Plan the run as its mode asks; returns what the plan counts."""
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
        """Write the report and look after everything that waited for the run.

        The configuration's next queued run follows. A backfill's next month waits for all others (2.14).
        """
        async with self._archiving.acting_for(run_id):
            finished = await self._archiving.finish(run_id, reason)
            _log("finished", run_id, state=str(finished.state), reason=reason)
            for step in self._finish_steps:
                await step.finished(run_id)
            month = await self._backfills.advance(run_id)
        return RunEnd(finished.state, finished.next_run_id or month)


def _log(what: str, run_id: UUID, **facts: object) -> None:
    """One line a step, with the run's correlation id, which is bound while it is written."""
    logger.info("archive run %s", what, extra={"run_id": str(run_id), **facts})
