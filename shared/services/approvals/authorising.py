"""Authorises acting on another person's mailbox, and notes for whom it is audited (6.5)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.identity.users import UserRepository
from shared.domain.identity.caller import Caller
from shared.errors import Forbidden
from shared.services.approvals.objections import refuse_unauthorised


async def authorise(session: AsyncSession, caller: Caller, configuration: ArchiveConfiguration) -> None:
    """Authorise a caller to act through the configuration.

    What follows is audited on behalf of the person read. On another person's mailbox, only Admins may act
    and only under a valid approval. Raises Forbidden and Conflict.
    """
    if not configuration.names_another:
        return
    if not caller.is_admin:
        raise Forbidden("only Admins act through an archive of another's calendar", code="admin_needed")
    await refuse_unauthorised(session, caller.tenant_id, configuration.id)
    await act_for_person_read(session, configuration)


async def act_for_person_read(session: AsyncSession, configuration: ArchiveConfiguration) -> None:
    """From here on, the task is audited on behalf of the person whose calendar is read."""
    acting = telemetry.acting_for_person.get()
    if acting is not None:
        acting.person = await person_read_id(session, configuration)


async def person_read_id(session: AsyncSession, configuration: ArchiveConfiguration | None) -> UUID | None:
    """The user (our id) whose calendar is read, if not the owner. The object id if they are not a user."""
    if configuration is None or not configuration.names_another:
        return None
    person = await UserRepository(session).get_by_object_id(configuration.tenant_id, configuration.origin_id)
    return person.id if person is not None else configuration.origin_id


def waits_for_approval(configuration: ArchiveConfiguration, now: datetime) -> bool:
    """Whether scheduled work must not start, because no approval is valid."""
    until = configuration.open_until
    return configuration.names_another and (until is None or until <= now)
