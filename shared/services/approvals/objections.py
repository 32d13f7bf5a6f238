"""Whether a configuration may still use its calendars, checked in every run (domain.md 1).

It uses stored facts only, so it costs one statement and no request to a store.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.calendars.calendar_authorisation import Objection, objection
from shared.errors import ArchiveInUse, Conflict

# Events that a person left undecided are archived anyway, so that no time is lost (domain.md 5.8, 15.1).
_DECIDES_FOR_WHO_LEFT = ("system:expire_overlaps", "system:carry_out_overlaps")


async def objection_to(
    session: AsyncSession, tenant_id: UUID, configuration_id: UUID, requested_by: str = ""
) -> Objection | None:
    """What forbids reading and writing for the configuration. None if nothing does, or if it is deleted."""
    facts = await ArchiveConfigurationRepository(session).reference_facts(tenant_id, configuration_id)
    found = None if facts is None else objection(facts)
    if found is Objection.USER_DEACTIVATED and requested_by in _DECIDES_FOR_WHO_LEFT:
        return None
    return found


async def refuse_unauthorised(session: AsyncSession, tenant_id: UUID, configuration_id: UUID) -> None:
    """Raise Conflict, with the objection as its code, if the configuration may not use its calendars.

    Raises ArchiveInUse for the newer of two configurations with one source and one archive.
    """
    found = await objection_to(session, tenant_id, configuration_id)
    if found is Objection.ARCHIVE_IN_USE:
        raise ArchiveInUse(found.reason)
    if found is not None:
        raise Conflict(found.reason, code=found)
