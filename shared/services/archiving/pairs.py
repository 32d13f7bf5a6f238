"""One source and one archive calendar belong to one configuration (domain.md 2.19).

The database lets no second one come into being. Of pairs that were there before, the newer is paused: it
neither runs nor is resumed while the older exists.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.errors import ArchiveInUse
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access


async def refuse_pair(
    session: AsyncSession,
    access: Access,
    configuration: ArchiveConfiguration,
    *,
    archive_calendar_id: str | None = None,
) -> None:
    """Raise ArchiveInUse where another configuration of any state but deleted has its source and archive.

    ``archive_calendar_id``: as if it archived into that calendar. Until the transaction ends no other one
    gets them. It names the other one only to a caller who may read it.
    """
    others = await ArchiveConfigurationRepository(session).of_pair(
        configuration, archive_calendar_id=archive_calendar_id, hold=True
    )
    if others:
        raise archive_in_use(access, others[0])


async def refuse_paused_pair(
    session: AsyncSession, access: Access, configuration: ArchiveConfiguration, audit: AuditWriter
) -> None:
    """Raise ArchiveInUse for the newer of a pair; where the older is gone its jobs go on from now."""
    if not configuration.archive_in_use:
        return
    older = await _older(session, configuration)
    if older is not None:
        raise archive_in_use(access, older)
    await _release(session, configuration, audit)


async def release_next(session: AsyncSession, deleted: ArchiveConfiguration, audit: AuditWriter) -> None:
    """The configuration is deleted: the oldest of those that were paused for its sake goes on, audited."""
    following = await ArchiveConfigurationRepository(session).of_pair(deleted)
    if not following or not following[0].archive_in_use:
        return
    first = following[0]
    await JobRepository(session).hold(first.owner_id, first.id)
    held = await ArchiveConfigurationRepository(session).lock(first.tenant_id, first.id)
    if held is not None and held.archive_in_use and await _older(session, held) is None:
        await _release(session, held, audit)


def archive_in_use(access: Access, other: ArchiveConfiguration) -> ArchiveInUse:
    """The refusal; it names the other configuration where the caller may read it."""
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
            action="job.resumed",
            resource_type="archive_configuration",
            resource_id=str(configuration.id),
            outcome="success",
            changes={"kind": str(kind), "reason": "the older configuration is deleted"},
            on_behalf_of=configuration.owner_id,
        )
