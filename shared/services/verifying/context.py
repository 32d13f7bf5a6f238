"""What every step of a verification needs to know, read fresh from the database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.verifications import Verification
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.verifying.verifications import VerificationRepository
from shared.errors import NotFound


@dataclass(frozen=True, slots=True)
class VerificationContext:
    """The facts of a verification and its configuration. If ``masked``, private events are masked (6.5)."""

    verification_id: UUID
    tenant_id: UUID
    owner_id: UUID
    configuration_id: UUID
    window_start: datetime
    window_end: datetime
    compared_until: datetime
    zone: ZoneInfo
    source_mailbox: str
    source_calendar_id: str
    masked: bool
    archive_mailbox: str
    archive_calendar_id: str


async def load_context(session: AsyncSession, verification_id: UUID) -> VerificationContext:
    """Load the context. Raises NotFound if the verification or its configuration is gone."""
    verification = await VerificationRepository(session).get_unscoped(verification_id)
    if verification is None:
        raise NotFound("there is no such verification")
    configuration = await ArchiveConfigurationRepository(session).get(
        verification.tenant_id, verification.configuration_id
    )
    if configuration is None:
        raise NotFound("there is no such archive configuration")
    return _context(verification, configuration)


def _context(verification: Verification, configuration: ArchiveConfiguration) -> VerificationContext:
    return VerificationContext(
        verification_id=verification.id,
        tenant_id=verification.tenant_id,
        owner_id=verification.owner_id,
        configuration_id=configuration.id,
        window_start=verification.window_start.astimezone(UTC),
        window_end=verification.window_end.astimezone(UTC),
        compared_until=verification.compared_until.astimezone(UTC),
        zone=ZoneInfo(configuration.time_zone),
        source_mailbox=str(configuration.source_mailbox_id),
        source_calendar_id=configuration.source_calendar_id,
        masked=configuration.masks_private_events,
        archive_mailbox=str(configuration.archive_mailbox_id),
        archive_calendar_id=configuration.archive_calendar_id,
    )
