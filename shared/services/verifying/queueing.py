"""Queueing verifications, and of which window they are (domain.md 2.15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.verifications import Verification
from shared.database.repositories.archive_runs import ArchiveRunRepository
from shared.database.repositories.verifications import VerificationRepository
from shared.domain.verification import Stretch, VerificationState
from shared.errors import Conflict
from shared.services.archiving.context import ArchivingPorts
from shared.services.audit import AuditFact, AuditRow


@dataclass(frozen=True, slots=True)
class StartedVerification:
    """The verification a request led to; ``created`` is False where one was under way already."""

    verification: Verification
    created: bool


@dataclass(frozen=True, slots=True)
class VerificationDraft:
    """A verification that is not queued yet, with the audit row that goes with it."""

    verification: Verification
    audit: AuditRow


async def draft_verification(
    ports: ArchivingPorts,
    configuration: ArchiveConfiguration,
    window: Stretch,
    requested_by: str,
    *,
    job: UUID | None = None,
    scheduled_for: datetime | None = None,
) -> VerificationDraft:
    """A verification in the name of the caller, and with the correlation, that are bound now."""
    verification = Verification(
        id=uuid4(),
        tenant_id=configuration.tenant_id,
        owner_id=configuration.owner_id,
        configuration_id=configuration.id,
        job_id=job,
        scheduled_for=scheduled_for,
        window_start=window.start,
        window_end=window.end,
        compared_until=window.start,
        state=VerificationState.QUEUED,
        requested_by=requested_by,
        correlation_id=telemetry.correlation_id.get() or telemetry.new_correlation_id(),
        created_at=ports.clock.now(),
    )
    fact = AuditFact(
        action="verification.requested",
        resource_type="verification",
        resource_id=str(verification.id),
        outcome="success",
        changes={"window": [window.start.isoformat(), window.end.isoformat()]},
        on_behalf_of=configuration.owner_id,
    )
    return VerificationDraft(verification, await ports.audit.row(fact))


async def queue_drafts(
    ports: ArchivingPorts, session: AsyncSession, drafts: Sequence[VerificationDraft]
) -> list[StartedVerification]:
    """Queue the drafts in the caller's transaction, or find those under way of the same configurations.

    In the order of the drafts, which are of different configurations. Raises Conflict where one under way
    ended at this very moment.
    """
    if not drafts:
        return []
    verifications = VerificationRepository(session)
    queued = await verifications.add_all([draft.verification for draft in drafts])
    await ports.audit.add(session, [draft.audit for draft in drafts if draft.verification.id in queued])
    refused = [draft.verification for draft in drafts if draft.verification.id not in queued]
    found = await verifications.open_like(refused) if refused else []
    under_way = {verification.configuration_id: verification for verification in found}
    started = []
    for draft in drafts:
        wanted = draft.verification
        verification = queued.get(wanted.id) or under_way.get(wanted.configuration_id)
        if verification is None:
            raise Conflict("a verification ended just now; ask again", retry_after=1)
        started.append(StartedVerification(verification, created=wanted.id in queued))
    return started


async def default_windows(
    ports: ArchivingPorts, session: AsyncSession, configuration_ids: Sequence[UUID]
) -> dict[UUID, Stretch]:
    """What is verified where nobody names a window: the last of what is archived, by configuration.

    Without those of which nothing is archived yet.
    """
    longest = timedelta(days=ports.settings.max_window_days)
    extents = await ArchiveRunRepository(session).extents_unscoped(configuration_ids)
    return {
        configuration: Stretch(max(begins, ends - longest), ends)
        for configuration, (begins, ends) in extents.items()
    }
