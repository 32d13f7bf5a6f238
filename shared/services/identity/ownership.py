"""Whose data a list shows: the named person's, or the caller's (domain.md 1; design.md, Who may)."""

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.users import User
from shared.errors import FieldError, NotFound, ValidationFailed
from shared.services.identity.access import Access

if TYPE_CHECKING:
    from shared.database.models.configurations import ArchiveConfiguration

_NAME_SOMEBODY = FieldError("user_id", "name the person: the caller has nothing of their own", "missing")


async def readable_person(access: Access, user_id: UUID | None) -> User | None:
    """The person whose data is read: the named one, or the caller. None if the caller is no user.

    Raises NotFound for a person that is not visible to the caller. Raises ValidationFailed naming ``user_id``
    for an Admin or Auditor who is no user and names nobody.
    """
    if user_id is not None:
        return await access.readable_user(user_id)
    if access.own is None and access.caller.reads_tenant:
        raise ValidationFailed([_NAME_SOMEBODY])
    return access.own


async def readable_owner_of(
    session: AsyncSession, access: Access, user_id: UUID | None, configuration_id: UUID | None
) -> User | None:
    """The person whose data is read, if a configuration may be given too. It implies its owner.

    Raises as ``readable_person``. Raises NotFound for a configuration that is not visible to the caller, or
    that belongs to another person than the named one.
    """
    if configuration_id is None:
        return await readable_person(access, user_id)
    configuration = await readable_configuration(session, access, configuration_id)
    if user_id not in (None, configuration.owner_id):
        raise _no_configuration()
    return await access.readable_user(configuration.owner_id)


async def readable_configuration(
    session: AsyncSession, access: Access, configuration_id: UUID
) -> "ArchiveConfiguration":
    """The configuration. Raises NotFound if there is none, or none visible to the caller."""
    return await _configuration(session, access, configuration_id, access.readable_owner)


async def writable_configuration(
    session: AsyncSession, access: Access, configuration_id: UUID
) -> "ArchiveConfiguration":
    """The configuration, if the caller may change it. Raises NotFound otherwise."""
    return await _configuration(session, access, configuration_id, access.writable_owner)


async def _configuration(
    session: AsyncSession, access: Access, configuration_id: UUID, owner_id: UUID | None
) -> "ArchiveConfiguration":
    # Imported here because most lists name no configuration, and a first request must be fast.
    from shared.database.repositories.configurations.archive_configurations import (
        ArchiveConfigurationRepository,
    )

    tenant_id = access.caller.tenant_id
    found = await ArchiveConfigurationRepository(session).get(tenant_id, configuration_id, owner_id)
    if found is None:
        raise _no_configuration()
    return found


def _no_configuration() -> NotFound:
    return NotFound("there is no such archive configuration")
