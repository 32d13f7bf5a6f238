"""Judging at every run whether its configuration may still name its calendars (domain.md 1).

By what is stored alone: it costs one statement and asks no store anything.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archive_configurations import ArchiveConfigurationRepository
from shared.domain.calendar_permission import Objection, objection
from shared.domain.caller import Caller
from shared.errors import ArchiveInUse, Conflict
from shared.services.archiving.context import ArchivingPorts, load_context
from shared.services.archiving.plan_counts import PlanCounts
from shared.services.archiving.plan_turn import record_plan

# What a person left undecided is archived all the same, so that no time is lost (domain.md 5.8, 15.1).
_DECIDES_FOR_WHO_LEFT = ("system:expire_overlaps", "system:carry_out_overlaps")


async def objection_to(
    session: AsyncSession, tenant_id: UUID, configuration_id: UUID, requested_by: str = ""
) -> Objection | None:
    """What forbids reading and writing for the configuration; None where nothing does, or it is deleted."""
    facts = await ArchiveConfigurationRepository(session).reference_facts(tenant_id, configuration_id)
    found = None if facts is None else objection(facts)
    if found is Objection.USER_DEACTIVATED and requested_by in _DECIDES_FOR_WHO_LEFT:
        return None
    return found


async def refuse_unpermitted(session: AsyncSession, tenant_id: UUID, configuration_id: UUID) -> None:
    """Raises Conflict, with the objection as its code, where the configuration may not name its calendars.

    Raises ArchiveInUse for the newer of two with one source and one archive.
    """
    found = await objection_to(session, tenant_id, configuration_id)
    if found is Objection.ARCHIVE_IN_USE:
        raise ArchiveInUse(found.reason)
    if found is not None:
        raise Conflict(found.reason, code=found)


async def bar_unpermitted(ports: ArchivingPorts, session: AsyncSession, run: ArchiveRun) -> None:
    """End the run before it settles, reads or writes anything if it may not: its plan says why, audited.

    What was planned before is left to its end.
    """
    if run.planned_at is not None:
        return
    found = await objection_to(session, run.tenant_id, run.configuration_id, run.requested_by)
    if found is None:
        return
    context = await load_context(session, run.id)
    caller = Caller(run.tenant_id, None, run.requested_by, frozenset(), app_only=True)
    with telemetry.bind(caller=caller, correlation=run.correlation_id):
        # Both calendars of a pair are there, and its jobs are paused already.
        gone = found is not Objection.ARCHIVE_IN_USE
        counts = PlanCounts(refused=f"{found}: {found.reason}", gone=gone, code=found)
        await record_plan(session, ports, context, counts)
