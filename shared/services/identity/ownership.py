"""Whose things a list is about (domain.md 1; design.md, Who may)."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.users import User
from shared.errors import FieldError, NotFound, ValidationFailed
from shared.services.identity.access import Access

_NAME_SOMEBODY = FieldError("user_id", "name the person: the caller has nothing of their own", "missing")


async def readable_person(access: Access, user_id: UUID | None) -> User | None:
    """Whose things are read: the one named, else the caller himself; None for a caller who is no user.

    Raises NotFound for a person the caller may not know of, and ValidationFailed naming ``user_id`` for an
    Admin or Auditor who is no user and names nobody.
    """
    if user_id is not None:
        return await access.readable_user(user_id)
    if access.own is None and access.caller.reads_tenant:
        raise ValidationFailed([_NAME_SOMEBODY])
    return access.own


async def readable_owner_of(
    session: AsyncSession, access: Access, user_id: UUID | None, configuration_id: UUID | None
) -> User | None:
    """Whose things are read where a configuration may be named as well: it names its owner.

    Raises as ``readable_person``, and NotFound for a configuration the caller may not know of, or not of the
    person named.
    """
    if configuration_id is None:
        return await readable_person(access, user_id)
    # Most lists name none, and a first request is not to load what it does not need (cold start).
    from shared.database.repositories.configurations.archive_configurations import (
        ArchiveConfigurationRepository,
    )

    configuration = await ArchiveConfigurationRepository(session).get(
        access.caller.tenant_id, configuration_id, owner_id=access.readable_owner
    )
    if configuration is None or user_id not in (None, configuration.owner_id):
        raise NotFound("there is no such archive configuration")
    return await access.readable_user(configuration.owner_id)
