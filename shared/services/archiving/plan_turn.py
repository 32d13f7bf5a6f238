"""One attempt at planning a run at a time: a later one supersedes those before it (design.md, Plan)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.domain.identity.disclosure import plan_for_others
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.plan_counts import PlanCounts


class PlanSuperseded(Exception):
    """Another attempt plans the run, or the run is over: stop, write nothing more."""


class PlanCancelled(Exception):
    """The run was asked to stop before it was planned: nothing of the plan counts."""


class PlanTurn:
    """The right to plan one run; every transaction of the plan runs under it."""

    def __init__(self, ports: ArchivingPorts, run_id: UUID, attempt: int) -> None:
        self._ports = ports
        self._run_id = run_id
        self._attempt = attempt

    @property
    def first(self) -> bool:
        """Whether nobody tried to plan the run before."""
        return self._attempt == 1

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A transaction that no other attempt and no end of the run can overtake.

        Raises PlanSuperseded, and PlanCancelled where the run was asked to stop.
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
    """The plan of the run is complete: keep what it counted, and audit it."""
    plan = asdict(counts)
    await ArchiveRunRepository(session).set_planned(context.run_id, plan, ports.clock.now())
    await ports.audit.record(
        session,
        action="archive_run.planned",
        resource_type="archive_run",
        resource_id=str(context.run_id),
        outcome="failure" if counts.refused else "success",
        # Admins and Auditors read the audit.
        changes={"plan": plan_for_others(plan)},
        on_behalf_of=context.owner_id,
    )
