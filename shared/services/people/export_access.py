"""Who may export a person's private events, and who is notified (domain.md 6.3, 15.2)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.people import UserExport
from shared.database.models.users import User
from shared.database.repositories.identity.break_glass import BreakGlassRepository
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.domain.identity.caller import Caller
from shared.domain.notifications.break_glass_texts import exported_notice
from shared.domain.notifications.notification import Recipient
from shared.errors import Forbidden
from shared.services.identity.access import Access
from shared.services.people.break_glass import reader_of


async def access_for_export(session: AsyncSession, caller: Caller, user: User) -> UUID | None:
    """The emergency access that lets an export contain a person's private events. None for their own.

    Raises Forbidden if there is none.
    """
    if caller.is_person(user.object_id):
        return None
    access = None
    if caller.is_admin and caller.person is not None:
        access = await BreakGlassRepository(session).open_of(caller.tenant_id, caller.person, user.id)
    if access is None:
        raise Forbidden("an emergency access to them is needed", code="break_glass_needed")
    return access.id


async def refuse_after_break_glass(
    session: AsyncSession, caller: Caller, owner: User, export: UserExport
) -> None:
    """Raise Forbidden unless it is the person's own export, or the caller's access for it is still open."""
    if caller.is_person(owner.object_id):
        return
    access = None
    if caller.is_admin and caller.person is not None:
        access = await BreakGlassRepository(session).open_of(caller.tenant_id, caller.person, owner.id)
    if access is None or access.id != export.break_glass_id:
        raise Forbidden("the emergency access it was made by is over, or not yours", code="break_glass_over")


async def tell_of_export(
    session: AsyncSession, access: Access, user: User, export: UserExport, now: datetime
) -> None:
    """Notify the person that somebody else requested an export of their data."""
    if access.caller.is_person(user.object_id):
        return
    notice = exported_notice(export.id, reader_of(access), private=export.break_glass_id is not None)
    await NotificationRepository(session).tell([(Recipient(user.tenant_id, user.id), notice)], now)
