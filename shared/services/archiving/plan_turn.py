"""Only one attempt plans a run at a time. A later attempt supersedes earlier ones (design.md, Plan)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.domain.identity.disclosure import plan_for_others
from shared.domain.runs.plan_counts import PlanCounts
from shared.services.archiving.context import ArchivingPorts, RunContext

# Readings of one calendar disagree for a minute at most. After more attempts than these, the plan must end.
# Attempts also fail for other reasons, so readings may still disagree then.
_PATIENT_ATTEMPTS = 4


class PlanSuperseded(Exception):
    """Another attempt plans the run, or the run is over: stop and write nothing more."""


class PlanCancelled(Exception):
    """Cancellation was requested before the run was planned. Nothing of the plan counts."""


class PlanTurn:
    """The right to plan one run. Every transaction of the plan holds it."""

    def __init__(self, ports: ArchivingPorts, run_id: UUID, attempt: int) -> None:
        self._ports = ports
        self._run_id = run_id
        self._attempt = attempt

    @property
    def first(self) -> bool:
        """Whether this is the first attempt to plan the run."""
        return self._attempt == 1

    @property
    def patient(self) -> bool:
        """Whether another attempt may follow if the calendar shows something else at each reading."""
        return self._attempt <= _PATIENT_ATTEMPTS

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A transaction during which no other attempt can start and the run cannot end.

        Raises PlanSuperseded, and PlanCancelled if cancellation was requested.
        """
        async with self._ports.database.session() as session:
            runs = ArchiveRunRepository(session)
            if not await runs.hold_plan(self._run_id, self._attempt):
                run = await runs.get_unscoped(self._run_id)
                if run is not None and run.cancel_requested and run.plan_attempt == self._attempt:
                    raise PlanCancelled
                raise PlanSuperseded
            yield session


async def record_plan(
    session: AsyncSession, ports: ArchivingPorts, context: RunContext, counts: PlanCounts
) -> None:
    """Store the counts of the complete plan, and audit it."""
    await ArchiveRunRepository(session).set_planned(context.run_id, counts, ports.clock.now())
    # Admins and Auditors read the audit.
    await ports.audit.record(
        session,
        "archive_run.planned",
        "archive_run",
        context.run_id,
        {"plan": plan_for_others(counts.to_json())},
        on_behalf_of=context.owner_id,
        outcome="failure" if counts.refused else "success",
    )
