"""The locks of an archive, always taken in one order, so that no deadlock is possible (design.md, Start)."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs.jobs import JobRepository


async def lock_archive(
    session: AsyncSession, owner_id: UUID, configuration_id: UUID, *, tenant_id: UUID | None = None
) -> ArchiveConfiguration | None:
    """Lock the archive's jobs and then, in a given tenant, its configuration. None if that is deleted.

    Runs and verifications come last: lock them after this call. The dispatcher inserts them while it holds a
    job, and it waits for an open one of the same window to end.
    """
    await JobRepository(session).hold(owner_id, configuration_id)
    if tenant_id is None:
        return None
    return await ArchiveConfigurationRepository(session).lock(tenant_id, configuration_id)
