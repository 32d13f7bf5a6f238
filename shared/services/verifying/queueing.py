"""Queues verifications and decides their windows (domain.md 2.15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.verifications import Verification
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.verifying.verifications import VerificationRepository
from shared.domain.verifying.verification import Stretch, VerificationState
from shared.services.archiving.context import ArchivingPorts
from shared.services.jobs.queueing import Draft, draft, drafted, queue


@dataclass(frozen=True, slots=True)
class StartedVerification:
    """The verification that a request led to. ``created`` is False if one was in progress already."""

    verification: Verification
    created: bool


type VerificationDraft = Draft[Verification]


async def draft_verification(
    ports: ArchivingPorts,
    configuration: ArchiveConfiguration,
    window: Stretch,
    requested_by: str,
    *,
    job: UUID | None = None,
    scheduled_for: datetime | None = None,
) -> VerificationDraft:
    """A verification for the current caller, with the current correlation id."""
    verification = Verification(
        id=uuid4(),
        job_id=job,
        scheduled_for=scheduled_for,
        window_start=window.start,
        window_end=window.end,
        compared_until=window.start,
        state=VerificationState.QUEUED,
        requested_by=requested_by,
        **drafted(configuration, ports.clock.now()),
    )
    changes = {"window": [window.start.isoformat(), window.end.isoformat()]}
    return await draft(ports.audit, "verification", verification, configuration, changes)


async def queue_drafts(
    ports: ArchivingPorts, session: AsyncSession, drafts: Sequence[VerificationDraft]
) -> list[StartedVerification]:
    """Queue the drafts, or find the open verifications of the same configurations. See queueing.queue."""
    table = VerificationRepository(session)
    started = await queue(session, ports.audit, table, drafts, lambda each: each.configuration_id)
    return [StartedVerification(verification, created) for verification, created in started]


async def default_windows(
    ports: ArchivingPorts, session: AsyncSession, configuration_ids: Sequence[UUID]
) -> dict[UUID, Stretch]:
    """The default window for each configuration: the last part of what is archived.

    Configurations without any archived time are left out.
    """
    longest = timedelta(days=ports.settings.max_window_days)
    extents = await ArchiveRunRepository(session).extents_unscoped(configuration_ids)
    return {
        configuration: Stretch(max(begins, ends - longest), ends)
        for configuration, (begins, ends) in extents.items()
    }
