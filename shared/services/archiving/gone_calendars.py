"""Archive calendars that are gone, and the jobs that pause until they are back (domain.md 1)."""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.lost_copies import LostCopyRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.runs.plan_counts import PlanCounts
from shared.errors import AdminAssistantError
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.jobs.archive_locks import lock_archive

#: The reason of a run whose archive calendar is gone. The product offers to rebuild the calendar.
ARCHIVE_CALENDAR_GONE: Final = "archive_calendar_gone"


async def refused_until_rebuilt(session: AsyncSession, context: RunContext) -> PlanCounts | None:
    """The plan of a run before a rebuild has created every copy. None if no copy waits for a rebuild.

    The run would take lost copies for copies that never existed.
    """
    if not context.archive_gone or not (await lost_copies(session, context).standing()).amount:
        return None
    reason = "not all copies that were lost with the archive calendar are created again; rebuild it first"
    return PlanCounts(refused=reason, gone=True, code=ARCHIVE_CALENDAR_GONE)


def lost_copies(session: AsyncSession, context: RunContext) -> LostCopyRepository:
    """The copies of a run's configuration that were lost with its archive calendar."""
    return LostCopyRepository(session, context.owner_id, context.configuration_id)


async def is_gone(ports: ArchivingPorts, tenant_id: UUID, mailbox: str, calendar_id: str) -> bool:
    """Whether the mailbox answers and has no such calendar.

    Raises NotFound if the mailbox itself is gone, StoreRefused and StoreUnavailable.
    """
    return await ports.calendars.in_tenant(tenant_id).get_calendar(mailbox, calendar_id) is None


async def seems_gone(ports: ArchivingPorts, tenant_id: UUID, mailbox: str, calendar_id: str) -> bool:
    """As ``is_gone``, but False if the store cannot tell now."""
    try:
        return await is_gone(ports, tenant_id, mailbox, calendar_id)
    except AdminAssistantError:
        return False


async def note_gone(
    session: AsyncSession, ports: ArchivingPorts, owner_id: UUID, configuration_id: UUID, calendar_id: str
) -> None:
    """Record that the archive calendar is gone: its jobs pause, and the owner is offered to rebuild it."""
    await ArchiveConfigurationRepository(session).set_archive_gone(
        owner_id, configuration_id, calendar_id, ports.clock.now()
    )


async def note_found(
    session: AsyncSession, ports: ArchivingPorts, owner_id: UUID, configuration_id: UUID, calendar_id: str
) -> None:
    """Record that the archive calendar exists again: jobs that paused because it was gone resume. Audited.

    A job that paused for another reason stays paused.
    """
    await lock_archive(session, owner_id, configuration_id)
    await ArchiveConfigurationRepository(session).set_archive_gone(
        owner_id, configuration_id, calendar_id, None
    )
    resumed = await JobRepository(session).resume_waiting(owner_id, configuration_id)
    for kind in resumed:
        changes = {"kind": str(kind), "reason": "the archive calendar is there again"}
        await ports.audit.record(
            session, "job.resumed", "archive_configuration", configuration_id, changes, on_behalf_of=owner_id
        )
