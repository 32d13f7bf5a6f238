"""Ends a run whose configuration may no longer name its calendars (domain.md 1)."""

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.runs import ArchiveRun
from shared.domain.calendars.calendar_authorisation import Objection
from shared.domain.identity.caller import Caller
from shared.domain.runs.plan_counts import PlanCounts
from shared.services.approvals.objections import objection_to
from shared.services.archiving.context import ArchivingPorts, load_context
from shared.services.archiving.plan_turn import record_plan


async def bar_unauthorised(ports: ArchivingPorts, session: AsyncSession, run: ArchiveRun) -> None:
    """End a run that is not authorised before it reads or writes. Its plan records the reason. Audited.

    A run that is already planned continues to its end.
    """
    if run.planned_at is not None:
        return
    found = await objection_to(session, run.tenant_id, run.configuration_id, run.requested_by)
    if found is None:
        return
    context = await load_context(session, run.id)
    caller = Caller(run.tenant_id, None, run.requested_by, frozenset(), app_only=True)
    with telemetry.bind(caller=caller, correlation=run.correlation_id):
        # Both calendars of a pair exist, and its jobs are paused already.
        gone = found is not Objection.ARCHIVE_IN_USE
        counts = PlanCounts(refused=f"{found}: {found.reason}", gone=gone, code=found)
        await record_plan(session, ports, context, counts)
