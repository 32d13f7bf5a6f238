"""At most one configuration has a given source and archive calendar (domain.md 2.19).

The database prevents a second one. Of pairs that existed before that rule, the newer one is paused. It
neither runs nor resumes while the older one exists.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.errors import ArchiveInUse
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access
from shared.services.jobs.archive_locks import lock_archive


async def refuse_pair(
    session: AsyncSession,
    access: Access,
    configuration: ArchiveConfiguration,
    *,
    archive_calendar_id: str | None = None,
) -> None:
    """Raise ArchiveInUse if another configuration that is not deleted has the same source and archive.

    With ``archive_calendar_id``, check for that archive calendar instead. No other configuration can take the
    pair until the transaction ends. The error names the other configuration only to a caller who may read it.
    """
    others = await ArchiveConfigurationRepository(session).of_pair(
        configuration, archive_calendar_id=archive_calendar_id, hold=True
    )
    if others:
        raise archive_in_use(access, others[0])


async def refuse_paused_pair(
    session: AsyncSession, access: Access, configuration: ArchiveConfiguration, audit: AuditWriter
) -> None:
    """Raise ArchiveInUse for the newer of a pair. If the older one is gone, resume the newer one's jobs."""
    if not configuration.archive_in_use:
        return
    older = await _older(session, configuration)
    if older is not None:
        raise archive_in_use(access, older)
    await _release(session, configuration, audit)


async def release_next(session: AsyncSession, deleted: ArchiveConfiguration, audit: AuditWriter) -> None:
    """After the configuration is deleted, resume the oldest one that was paused because of it. Audited."""
    following = await ArchiveConfigurationRepository(session).of_pair(deleted)
    if not following or not following[0].archive_in_use:
        return
    first = following[0]
    held = await lock_archive(session, first.owner_id, first.id, tenant_id=first.tenant_id)
    if held is not None and held.archive_in_use and await _older(session, held) is None:
        await _release(session, held, audit)


def archive_in_use(access: Access, other: ArchiveConfiguration) -> ArchiveInUse:
    """The error. It names the other configuration if the caller may read it."""
    readable = access.readable_owner in (None, other.owner_id)
    which = f"the archive configuration {other.id}" if readable else "another archive configuration"
    return ArchiveInUse(f"{which} archives the same source into this calendar")


async def _older(session: AsyncSession, configuration: ArchiveConfiguration) -> ArchiveConfiguration | None:
    others = await ArchiveConfigurationRepository(session).of_pair(configuration)
    place = configuration.created_at, configuration.id
    return next((each for each in others if (each.created_at, each.id) < place), None)


async def _release(session: AsyncSession, configuration: ArchiveConfiguration, audit: AuditWriter) -> None:
    configuration.archive_in_use = False
    await session.flush()
    resumed = await JobRepository(session).resume_pair(configuration.owner_id, configuration.id)
    for kind in resumed:
        await audit.record(
            session,
            "job.resumed",
            "archive_configuration",
            configuration.id,
            {"kind": str(kind), "reason": "the older configuration is deleted"},
            on_behalf_of=configuration.owner_id,
        )
